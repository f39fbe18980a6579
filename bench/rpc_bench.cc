// What one unary call over TLS on loopback costs, client and server together: the floor under
// every answer of a component. At an edge, where our own front ends TLS and looks at the frames,
// and at an internal listener, where gRPC has the socket. Arguments: callers at once.
#include <benchmark/benchmark.h>

#include "devicetrust/ca/v1/ca.grpc.pb.h"
#include "libs/rpc/channel.h"
#include "libs/rpc/server.h"
#include "libs/throwaway/throwaway_pki.h"

namespace devicetrust {
namespace {

class Echo final : public ca::v1::EnrollmentService::Service {
  grpc::Status Enroll(grpc::ServerContext* /*context*/, const ca::v1::EnrollRequest* request,
                      ca::v1::EnrollResponse* response) override {
    response->set_certificate_der(request->csr_der());
    return grpc::Status::OK;
  }
};

struct World {
  throwaway::ThrowawayPki pki{"acme", SystemClock().Now()};
  Echo echo;
  std::unique_ptr<rpc::Server> server;
  std::vector<std::shared_ptr<grpc::Channel>> channels;

  explicit World(bool edge) {
    const pki::ExportableIdentity& identity = pki.Component("ca");
    const std::string trust = pki.deployment_ca().certificate.Pem();
    const rpc::Identity pem{identity.certificate.Pem(), identity.key.Pem()};
    server = rpc::Server::Start({.name = edge ? "edge" : "internal",
                                 .flag = "--listen",
                                 .listen = "127.0.0.1:0",
                                 .identity = pem,
                                 .client_ca_pem = edge ? std::string() : trust,
                                 .org = "acme",
                                 .message_bytes_max = rpc::kEdgeMessageBytesMax},
                                {&echo},
                                {{"devicetrust.ca.v1.EnrollmentService.Enroll", {rpc::kAnyone}}})
                 .value();
    for (int i = 0; i < 2; ++i) {
      channels.push_back(rpc::NewChannel({.address = server->address(),
                                          .server_name = {},
                                          .trust_pem = trust,
                                          .identity = edge ? std::nullopt : std::optional(pem)}));
    }
  }
};

void CallUnary(benchmark::State& state, World& world) {
  ca::v1::EnrollmentService::Stub stub(
      world.channels[static_cast<std::size_t>(state.thread_index()) % world.channels.size()]);
  ca::v1::EnrollRequest request;
  request.set_user_token(std::string(800, 't'));
  request.set_csr_der(std::string(800, 'c'));
  for (auto _ : state) {
    const auto answer = rpc::Call(stub, &ca::v1::EnrollmentService::Stub::Enroll, request);
    if (!answer.ok()) return state.SkipWithError(answer.status().ToString().c_str());
  }
  state.SetItemsProcessed(state.iterations());
}

void BM_UnaryCall(benchmark::State& state) {
  static World edge(true);
  CallUnary(state, edge);
}
void BM_InternalUnaryCall(benchmark::State& state) {
  static World internal(false);
  CallUnary(state, internal);
}
void Callers(benchmark::internal::Benchmark* benchmark) {
  benchmark->MeasureProcessCPUTime()->UseRealTime()->Threads(1)->Threads(4)->Threads(16);
}
BENCHMARK(BM_UnaryCall)->Apply(Callers);
BENCHMARK(BM_InternalUnaryCall)->Apply(Callers);

}  // namespace
}  // namespace devicetrust
