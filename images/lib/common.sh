# shellcheck shell=bash
# Shared by the image recipes. Source it, call begin_build, make files in $out, call finish_build with image.json on standard input.
#
# A build works in a private folder inside the output folder (same file system, so that the end is a rename) and removes it on any
# exit. A build that is killed for good (SIGKILL) leaves at most that folder, which the next build of the same image removes.

# The release and, when set, the mirror to take packages from.
suite=${BRUME_IMAGE_SUITE:-bookworm}
mirror=${BRUME_IMAGE_MIRROR:-}
export suite mirror
needs=()

step() {
  local now=$SECONDS
  printf '%s: [%3ds] %s\n' "$recipe" "$now" "$*" >&2
}

# begin_build NAME OUTPUT_DIR: checks for the programs in ${needs[@]}, sets $recipe, $destination, $work (scratch) and $out (what will be kept).
begin_build() {
  recipe=$1
  shift
  if [ $# -ne 1 ] || [ "$1" = --help ]; then
    echo "usage: $0 OUTPUT_DIR" >&2
    exit 2
  fi
  # In mounts of its own where that is allowed: whatever a build that is killed had mounted in its folder is gone with it.
  if [ -z "${BRUME_OWN_MOUNTS:-}" ] && unshare --mount --propagation private true 2>/dev/null; then
    BRUME_OWN_MOUNTS=1 exec unshare --mount --propagation private "$0" "$@"
  fi
  local missing=() tool
  for tool in mmdebstrap mke2fs qemu-img "${needs[@]}"; do
    PATH=$PATH:/usr/sbin:/sbin command -v "$tool" >/dev/null || missing+=("$tool")
  done
  if [ ${#missing[@]} -gt 0 ]; then
    echo "$recipe: these programs are missing: ${missing[*]}" >&2
    exit 1
  fi
  PATH=$PATH:/usr/sbin:/sbin
  umask 022
  mkdir -p "$1"
  destination=$(readlink -f "$1")
  # One build of an image at a time (the lock is on the folder itself); who holds it knows that left-over folders have no owner.
  exec 9<"$destination"
  if ! flock -n 9; then
    echo "$recipe: another build is writing to $destination; waiting for it" >&2
    flock 9
    if [ -f "$destination/image.json" ]; then
      echo "$recipe: the other build made it" >&2
      exit 0
    fi
  fi
  # Where it was not allowed, mounts may be left.
  awk -v folder="$destination/.build." 'index($2, folder) == 1 {print $2}' /proc/mounts | sort -r | while read -r mount; do umount -l "$mount"; done
  rm -rf --one-file-system "$destination"/.build.*
  build=$(mktemp -d "$destination/.build.XXXXXX")
  trap 'end_build' EXIT
  trap 'exit 129' HUP
  trap 'exit 130' INT
  trap 'exit 143' TERM
  work=$build/work
  out=$build/out
  mkdir "$work" "$out"
  export TMPDIR=$work
}

end_build() {
  local status=$?
  trap - EXIT
  rm -rf --one-file-system "$build"
  [ $status = 0 ] || echo "$recipe: build failed (status $status); nothing was left in $destination" >&2
  exit $status
}

# finish_build <image.json: puts the files in their place. image.json goes last: where it is, the image is whole.
finish_build() {
  cat >"$out/image.json"
  step "putting it in place"
  # Only these files are made durable: a sync of the whole file system would wait for everybody else's writes.
  sync "$out"/*
  rm -f "$destination/image.json"
  local file
  for file in "$out"/*; do
    [ "${file##*/}" = image.json ] || mv -f "$file" "$destination/"
  done
  mv -f "$out/image.json" "$destination/image.json"
  sync "$destination"
  step "done: $destination ($(du -sh --exclude='.build.*' "$destination" | cut -f1))"
}
