# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# For the scripts that build Go programs; they source it.

# proxy_answers FOLDER MODULE: whether the module proxy gives us the module as the go.mod of the folder
# requires it; asks the proxy, whatever was downloaded before.
proxy_answers() {
  local cache version status=0
  version=$(sed -En "s|^(require)?[[:space:]]*$2 ||p" "$1/go.mod")
  cache=$(mktemp -d)
  (cd "$cache" && GOMODCACHE=$cache GOFLAGS=-modcacherw GO111MODULE=on timeout 60 \
    go list -m "$2@$version") >/dev/null || status=1
  rm -rf "$cache"
  return $status
}
