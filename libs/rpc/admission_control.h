// What a listener asks of every call before its method runs, and what it notes of each. Inside
// libs/rpc.
#pragma once

#include <grpcpp/security/auth_metadata_processor.h>
#include <grpcpp/support/server_interceptor.h>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "libs/base/mutex.h"
#include "libs/base/status.h"
#include "libs/metrics/metrics.h"
#include "libs/rpc/grant.h"
#include "libs/rpc/handover.h"
#include "libs/rpc/server.h"

namespace devicetrust::rpc {

// Counts calls and decides on them. Thread-safe; shared by the two hooks below.
class AdmissionControl {
 public:
  // kInvalidArgument: the contracts linked in have no method of such a name.
  static absl::StatusOr<std::shared_ptr<AdmissionControl>> Create(
      const ListenerConfig& config, const std::vector<MethodAccess>& access);

  // `path` as on the wire: "/devicetrust.ca.v1.EnrollmentService/Enroll". `grants`: what the call
  // brings under kGrantHeader (grant.h).
  absl::Status Admit(std::string_view path, const std::vector<std::string_view>& grants,
                     const grpc::AuthContext* peer) const;

  // Refuses new calls and returns when those under way have ended, at the latest after
  // `at_most`. Streams that do not end by themselves are cancelled before.
  void Drain(std::chrono::milliseconds at_most);
  std::size_t in_flight() const { return unary_; }
  // Connections of a listener with mutual TLS that have had no call yet.
  Newcomers& newcomers() { return newcomers_; }

 private:
  friend class ObservedCall;
  struct Rule {
    std::vector<std::string_view> roles;
    const access::v1::Access* console = nullptr;  // Null: not with a grant.
    bool stream = false;
    std::string service;                    // "devicetrust.ca.v1.EnrollmentService"
    std::string method;                     // "Enroll"
    metrics::Histogram* seconds = nullptr;  // Null for a stream.
  };

  const Rule* FindRule(std::string_view path) const;
  absl::Status CheckRoom(const Rule& rule) const;
  absl::Status Judge(std::string_view path, const std::vector<std::string_view>& grants,
                     const grpc::AuthContext* peer) const;
  absl::Status Authorize(const Rule& rule, std::string_view path,
                         const grpc::AuthContext* peer) const;
  absl::Status AuthorizeGrant(const Rule* rule, std::string_view path,
                              const std::vector<std::string_view>& grants,
                              const grpc::AuthContext* peer) const;

  Newcomers newcomers_;
  std::string listener_;
  std::string org_;
  std::shared_ptr<const GrantVerifier> grants_;  // Null: no grant is good here.
  bool mutual_ = false;
  std::size_t in_flight_max_ = 0;
  std::size_t streams_max_ = 0;
  std::map<std::string, Rule, std::less<>> rules_;  // By path.
  std::atomic<bool> draining_{false};
  std::atomic<std::size_t> unary_{0};
  std::atomic<std::size_t> streams_{0};
  Mutex mutex_;
  std::set<grpc::ServerContextBase*> open_streams_ ABSL_GUARDED_BY(mutex_);
  CondVar ended_;                           // A stream or, when draining, any call.
  std::vector<metrics::Reading> readings_;  // Of the counts above; last, so they end first.
};

// Runs Admit() on the headers of each call. gRPC takes the code and the message of a refusal from
// there and drops its detail: a caller gets the reason that the code alone tells (rpc::ReasonOf).
std::shared_ptr<grpc::AuthMetadataProcessor> NewAdmissionProcessor(
    std::shared_ptr<const AdmissionControl> admission);

// Counts each call from the start of its method to its end, measures it, and has its thread work
// under the call's trace id (libs/base/trace.h), or a new one when the caller sent none.
std::unique_ptr<grpc::experimental::ServerInterceptorFactoryInterface> NewCallObserver(
    std::shared_ptr<AdmissionControl> admission);

}  // namespace devicetrust::rpc
