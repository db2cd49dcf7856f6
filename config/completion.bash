# SPDX-License-Identifier: Apache-2.0
# Lets bash complete the verbs and options of xd-rcdepth: source it. Made by tools/commands_page.py.
_xd_rcdepth() {
    local words="" options="" word=${COMP_WORDS[COMP_CWORD]}
    case "$COMP_CWORD ${COMP_WORDS[*]:1:2}" in
        "1 "*) words="benchmark convert demo describe doctor evaluate export predict robustness simulate train view" ;;
        *" benchmark "*) options="--model --backend --device --size --frames --threads --parts --quick --compare --beyond --report --json" ;;
        "2 convert "*) words="nuscenes astyx zju camvid" ;;
        *" convert nuscenes"*) options="--out --storage --check --jobs --json --version --scenes --split --cameras --radars --lidar --dynamic-properties --invalid-states --ambiguity-states --devkit-filter" ;;
        *" convert astyx"*) options="--out --storage --check --jobs --json --split" ;;
        *" convert zju"*) options="--out --storage --check --jobs --json --split --dense" ;;
        *" convert camvid"*) options="--out --storage --check --jobs --json --split" ;;
        *" demo "*) options="--data --out --model --device --topics --radar-fields --frames --rate --json" ;;
        *" describe "*) options="--model --json" ;;
        *" doctor "*) options="--image --camera-info --radar --seconds --model --device --json" ;;
        *" evaluate "*) options="--data --model --split --json --report --clamp --baselines --truth --rows --camera --topics --radar-fields --sweeps --keyframes --every --examples --device --backend --precision" ;;
        *" export "*) options="--format --out --model --precision --calibrate --frames --json" ;;
        *" predict "*) options="--image --calibration --out --radar --radar-fields --radar-pixels --model --device --saliency --json" ;;
        *" robustness "*) options="--data --model --out --split --fault --speed --clamp --truth --rows --camera --topics --radar-fields --keyframes --every --device --json" ;;
        *" simulate "*) options="--out --frames --seed --radar --sensor --place --weather --time-of-day --size --rate --traffic --storage --layout --workers --json" ;;
        *" train "*) options="--recordings --topics --radar-fields --teacher --output --set --resume --no-resume --json" ;;
        *" view "*) options="--out --outputs --frames --camera --topics --radar-fields --model --device --json" ;;
    esac
    if [[ $word == -* ]]; then words=$options; fi
    # Nothing found: bash completes file names.
    mapfile -t COMPREPLY < <(compgen -W "$words" -- "$word")
}
complete -o default -F _xd_rcdepth xd-rcdepth
