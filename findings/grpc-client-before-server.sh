#!/usr/bin/env bash
# gRPC C++ 1.51: a client that starts before its server does not reach it while its calls fail fast,
# if an attempt to connect may take 5 s.
#
# A channel that has failed once answers each call at once with UNAVAILABLE, and while no call waits
# nobody drives its connection attempt (TLS handshake and settings) but the backup poller: every 5 s.
# By then an attempt of 5 s (GRPC_ARG_MIN_RECONNECT_BACKOFF_MS) is over, and the next one begins. The
# environment variable GRPC_CLIENT_CHANNEL_BACKUP_POLL_INTERVAL_MS makes the poller more frequent.
# Why it matters: services start in any order (libs/rpc/prepare.cc sets the variable).
#
# Exit code 0: as described. 1: the behaviour has changed. 2: it could not be tried. Takes a minute.
set -euo pipefail
packages=(libgrpc-dev=1.51.1-3+b1 libgrpc++-dev=1.51.1-3+b1 libgrpc29=1.51.1-3+b1
          libgrpc++1.51=1.51.1-3+b1 libabsl20220623=20220623.1-1+deb12u2
          libabsl-dev=20220623.1-1+deb12u2 libprotobuf32=3.21.12-3+deb12u1
          libprotobuf-dev=3.21.12-3+deb12u1 libre2-9=20220601+dfsg-1+b1 libc-ares2=1.18.1-3)
folder=$(mktemp -d)
trap 'kill $(jobs -p) 2>/dev/null || true; rm -rf "$folder"' EXIT
cd "$folder"

apt-get -qq download "${packages[@]}" 2>/dev/null ||
  { echo "cannot fetch ${packages[*]}" >&2; exit 2; }
for package in ./*.deb; do dpkg -x "$package" package; done
cat > try.cc <<'C'
#include <grpcpp/generic/async_generic_service.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>

#include <chrono>
#include <cstdio>
#include <fstream>
#include <sstream>
#include <thread>

std::string Read(const char* path) {
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

int Serve(const std::string& address) {
  grpc::SslServerCredentialsOptions options;
  options.pem_key_cert_pairs.push_back({Read("key.pem"), Read("cert.pem")});
  grpc::CallbackGenericService nothing;  // Answers UNIMPLEMENTED.
  grpc::ServerBuilder builder;
  builder.AddListeningPort(address, grpc::SslServerCredentials(options));
  builder.RegisterCallbackGenericService(&nothing);
  builder.BuildAndStart()->Wait();
  return 0;
}

// A call every 20 ms, each with two seconds' patience, until one is answered or 25 s are over.
int Ask(const std::string& address) {
  grpc::SslCredentialsOptions options;
  options.pem_root_certs = Read("cert.pem");
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 100);
  arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, 5000);
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 2000);
  grpc::GenericStub stub(
      grpc::CreateCustomChannel(address, grpc::SslCredentials(options), arguments));
  const auto begin = std::chrono::steady_clock::now();
  const auto passed = [&] {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  };
  int refused = 0;
  while (passed() < 25) {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(2));
    grpc::CompletionQueue queue;
    const auto call = stub.PrepareUnaryCall(&context, "/any/Method", grpc::ByteBuffer(), &queue);
    call->StartCall();
    grpc::ByteBuffer answer;
    grpc::Status status;
    void* tag = nullptr;
    bool ok = false;
    call->Finish(&answer, &status, &tag);
    queue.Next(&tag, &ok);
    if (status.error_code() == grpc::StatusCode::UNIMPLEMENTED) {
      std::printf("answered after %.1f s\n", passed());
      return 0;
    }
    ++refused;
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  std::printf("never answered in 25 s, %d calls failed\n", refused);
  return 3;
}

int main(int count, char** arguments) {
  return count == 3 && std::string(arguments[1]) == "serve" ? Serve(arguments[2])
                                                            : Ask(arguments[2]);
}
C
lib=$folder/package/usr/lib/x86_64-linux-gnu
c++ -std=c++17 -O1 -I package/usr/include -o try try.cc -L "$lib" -lgrpc++ -lgrpc -lgpr -labsl_synchronization \
  -Wl,-rpath-link,"$lib" -pthread 2> build.txt || { tail -5 build.txt >&2; exit 2; }
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=localhost \
  -addext subjectAltName=DNS:localhost,IP:127.0.0.1 -keyout key.pem -out cert.pem 2>/dev/null
export LD_LIBRARY_PATH=$lib
ldd try | grep -q "$lib/libgrpc.so.29" || { echo "the program took another gRPC" >&2; exit 2; }
echo "gRPC C++ $(basename "$(readlink -f "$lib/libgrpc++.so.1.51")")"

# The client first, the server when the client has failed. Prints what the client saw.
try() {
  local port=$1; shift
  env "$@" ./try ask "127.0.0.1:$port" > "client-$port.txt" 2>/dev/null & local client=$!
  sleep 1
  ./try serve "127.0.0.1:$port" 2>/dev/null & local server=$!
  wait $client || true
  kill $server 2>/dev/null || true
  wait $server 2>/dev/null || true
  cat "client-$port.txt"
}
port=$((20000 + RANDOM % 10000))
default=$(try $port -u GRPC_CLIENT_CHANNEL_BACKUP_POLL_INTERVAL_MS)
echo "poller as it comes (5 s): $default"
often=$(try $((port + 1)) GRPC_CLIENT_CHANNEL_BACKUP_POLL_INTERVAL_MS=100)
echo "poller every 100 ms:      $often"
case $default in never*) ;; *) echo "changed: the client reaches its server" >&2; exit 1 ;; esac
case $often in answered*) ;; *) echo "changed: the variable does not help" >&2; exit 1 ;; esac
echo "as described"
