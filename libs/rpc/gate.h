// What a listener asks of every call before its method runs. Inside libs/rpc.
#pragma once

#include <grpcpp/security/auth_metadata_processor.h>
#include <grpcpp/support/server_interceptor.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "libs/base/status.h"
#include "libs/rpc/server.h"

namespace devicetrust::rpc {

// Counts calls and decides on them. Thread-safe; shared by the two hooks below.
class Gate {
 public:
  // kInvalidArgument: the contracts linked in have no method of such a name.
  static absl::StatusOr<std::shared_ptr<Gate>> Create(const ListenerConfig& config,
                                                      const std::vector<MethodAccess>& access);

  // `path` as on the wire: "/devicetrust.ca.v1.CertificateAuthority/Enroll".
  absl::Status Admit(std::string_view path, const grpc::AuthContext* peer) const;

  // Refuses new calls and returns when those under way have ended, at the latest after
  // `at_most`. Streams that do not end by themselves are cancelled before.
  void Drain(std::chrono::milliseconds at_most);
  std::size_t in_flight() const { return unary_; }

 private:
  friend class CountedCall;
  struct Rule {
    std::vector<std::string_view> roles;
    bool stream = false;
  };

  absl::Status Authorize(const Rule& rule, std::string_view path,
                         const grpc::AuthContext* peer) const;

  std::string org_;
  bool mutual_ = false;
  std::size_t in_flight_max_ = 0;
  std::size_t streams_max_ = 0;
  std::map<std::string, Rule, std::less<>> rules_;  // By path.
  std::atomic<bool> draining_{false};
  std::atomic<std::size_t> unary_{0};
  std::atomic<std::size_t> streams_{0};
  std::mutex mutex_;  // Of the next one.
  std::set<grpc::ServerContextBase*> open_streams_;
  std::condition_variable ended_;  // A stream or, when draining, any call.
};

// Runs Admit() on the headers of each call.
std::shared_ptr<grpc::AuthMetadataProcessor> NewGateKeeper(std::shared_ptr<const Gate> gate);

// Counts each call from the start of its method to its end.
std::unique_ptr<grpc::experimental::ServerInterceptorFactoryInterface> NewCallCounter(
    std::shared_ptr<Gate> gate);

}  // namespace devicetrust::rpc
