#!/bin/sh
# Says what to install where Go is missing or too old; silent otherwise.
need="Go 1.26 or newer is needed: install it from https://go.dev/dl/ (tar -C /usr/local -xzf go1.26.*.tar.gz) and put /usr/local/go/bin into PATH"
if ! command -v go >/dev/null 2>&1; then
	echo "$need; there is no go in PATH"
	exit 1
fi
version=$(cd "$(dirname "$0")/.." && go env GOVERSION 2>/dev/null) || version=
[ -n "$version" ] || version=$(cd / && GOTOOLCHAIN=local go version 2>/dev/null | cut -d' ' -f3)
minor=$(echo "$version" | sed -n 's/^go1\.\([0-9][0-9]*\).*/\1/p')
if [ -z "$minor" ] || [ "$minor" -lt 26 ]; then
	echo "$need; found ${version:-a go that does not run}"
	exit 1
fi
