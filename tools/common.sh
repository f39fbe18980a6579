# shellcheck shell=bash
# Sourced by the scripts in tools/: one way to print a step, an error and the help.

on_terminal=false
if [ -t 1 ] && [ "${TERM:-dumb}" != dumb ]; then on_terminal=true; fi

# fail MESSAGE REMEDY [EXIT]: what is wrong, and under it what to do.
fail() {
  local name="${0##*/}:"
  step_clear
  printf '%s %s\n%*s %s\n' "$name" "$1" ${#name} '' "$2" >&2
  exit "${3:-1}"
}

# usage_of FILE: the comment at the head of a script is its help.
usage_of() {
  sed -n '2,/^[^#]/{/^#/s/^# \{0,1\}//p}' "$1"
  exit 0
}

# A step is one line: on a terminal it changes in place until it is over, elsewhere only
# the last state is printed.
step_clear() {
  if $on_terminal; then printf '\r\033[K'; fi
}
step_begin() {  # NAME TEXT
  if $on_terminal; then printf '\r\033[K%-9s %s' "$1" "$2"; fi
}
step_end() {  # NAME TEXT SECONDS
  step_clear
  local time="$3 s"
  if [ "$3" -ge 60 ]; then time="$(($3 / 60)) min $(($3 % 60)) s"; fi
  printf '%-9s %-56s %14s\n' "$1" "$2" "$time"
}

# build_release LABEL [TARGET...]: configures and builds the release preset, as one step.
# Without targets everything, tests too. Output goes to build/release-build.log.
build_release() {
  local started=$SECONDS log=build/release-build.log line steps=0
  local configure=(cmake --preset release)
  if [ $# -eq 0 ]; then
    configure+=(-DBUILD_TESTING=ON)
  elif [ ! -f build/release/CMakeCache.txt ]; then
    configure+=(-DBUILD_TESTING=OFF)  # GoogleTest need not be there.
  fi
  mkdir -p build
  step_begin build "release, configuring"
  "${configure[@]}" >"$log" 2>&1 || build_failed "$log" "cmake could not configure the tree"

  local targets=()
  if [ $# -gt 0 ]; then targets=(--target "$@"); fi
  local shown=$SECONDS
  {
    NINJA_STATUS='[%f/%t] ' cmake --build --preset release "${targets[@]}" 2>&1 ||
      echo "BUILD-FAILED"
  } | tee -a "$log" | {
    while IFS= read -r line; do
      [ "$line" != BUILD-FAILED ] || exit 1
      [[ "$line" =~ ^\[([0-9]+)/([0-9]+)\] ]] || continue
      steps=${BASH_REMATCH[2]}
      if $on_terminal; then
        step_begin build "release, ${BASH_REMATCH[1]} of $steps steps"
      elif [ $((SECONDS - shown)) -ge 30 ]; then
        shown=$SECONDS
        printf 'build     release, %s of %s steps\n' "${BASH_REMATCH[1]}" "$steps"
      fi
    done
    if [ "$steps" -eq 0 ]; then
      step_end build "release, up to date" $((SECONDS - started))
    else
      step_end build "release, $steps steps" $((SECONDS - started))
    fi
  } || build_failed "$log" "the build failed"
}

build_failed() {  # LOG MESSAGE
  step_clear
  # The first error and what belongs to it; else the end.
  grep -n -m 1 -A 12 -E 'error:|Error|FAILED:' "$1" >&2 || tail -n 20 "$1" >&2
  fail "$2" "The whole output is in $1."
}
