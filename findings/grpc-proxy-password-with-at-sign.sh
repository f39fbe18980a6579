#!/usr/bin/env bash
# gRPC C++ 1.51 leaves an HTTP proxy out, without a word, when its user's password has an @.
#
# In http_proxy an @ of the password is written %40 (RFC 3986 3.2.1). gRPC decodes the address first and
# divides it at the @ afterwards; what it then holds is no address, and it connects to the server itself. A
# password with %2F is taken.
# Why it matters: where the proxy is the only way out, calls fail as if the server were away; where it is not,
# traffic that should have gone through the proxy goes past it.
#
# Exit code 0: as described. 1: the behaviour has changed. 2: it could not be tried.
set -euo pipefail
packages=(libgrpc-dev=1.51.1-3+b1 libgrpc++-dev=1.51.1-3+b1 libgrpc29=1.51.1-3+b1
          libgrpc++1.51=1.51.1-3+b1 libabsl20220623=20220623.1-1+deb12u2
          libabsl-dev=20220623.1-1+deb12u2 libprotobuf32=3.21.12-3+deb12u1
          libprotobuf-dev=3.21.12-3+deb12u1 libre2-9=20220601+dfsg-1+b1 libc-ares2=1.18.1-3)
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"

apt-get -qq download "${packages[@]}" 2>/dev/null ||
  { echo "cannot fetch ${packages[*]}" >&2; exit 2; }
for package in ./*.deb; do dpkg -x "$package" package; done
cat > connect.cc <<'C'
#include <grpcpp/grpcpp.h>

#include <chrono>

int main(int, char** arguments) {
  grpc::CreateChannel(arguments[1], grpc::InsecureChannelCredentials())
      ->WaitForConnected(std::chrono::system_clock::now() + std::chrono::seconds(3));
}
C
library=package/usr/lib/x86_64-linux-gnu
c++ -std=c++17 -I package/usr/include connect.cc -o connect -L $library -Wl,-rpath-link,$library \
  -l:libgrpc++.so.1.51 -l:libgrpc.so.29 -l:libgpr.so.29 -l:libabsl_synchronization.so.20220623 2> compile.log ||
  { cat compile.log >&2; echo "cannot compile" >&2; exit 2; }
cat > try.py <<'P'
"""A client that is told of a proxy, whose user has a password: who is connected to, the proxy or the server?"""
import os
import selectors
import socket
import subprocess
import sys


def reached(password):
    with socket.create_server(("127.0.0.1", 0)) as proxy, socket.create_server(("127.0.0.1", 0)) as server:
        variables = {key: value for key, value in os.environ.items() if "proxy" not in key.lower()}
        variables["http_proxy"] = f"http://ada:{password}@127.0.0.1:{proxy.getsockname()[1]}"
        client = subprocess.Popen(["./connect", f"127.0.0.1:{server.getsockname()[1]}"], env=variables)
        try:
            with selectors.DefaultSelector() as first:
                first.register(proxy, selectors.EVENT_READ, "the proxy")
                first.register(server, selectors.EVENT_READ, "the server")
                return [key.data for key, _ in first.select(10)]
        finally:
            client.kill()
            client.wait()


said = {password: reached(password) for password in ("secret", "se%2Fcret", "se%40cret")}
for password, who in said.items():
    print(f"password {password}: the client connects to {who[0] if who else 'nobody'}")
if said["secret"] != ["the proxy"]:
    sys.exit(2)
sys.exit(0 if said["se%40cret"] == ["the server"] else 1)
P
echo "gRPC C++ $(basename "$(readlink -f $library/libgrpc++.so.1.51)")"
LD_LIBRARY_PATH=$folder/$library python3 try.py && code=0 || code=$?
case $code in
  0) ;;
  1) echo "it connects to the proxy" >&2; exit 1 ;;
  *) echo "no proxy is used here at all" >&2; exit 2 ;;
esac
