#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "devicetrust/iwa/v1/iwa.grpc.pb.h"
#include "iwa/config.h"
#include "iwa/forest_trusts.h"
#include "iwa/signing_keys.h"
#include "libs/base/clock.h"
#include "libs/base/status.h"

namespace devicetrust::iwa {

// What a configuration came to at one moment: to see later that it is another one now.
class TakenUp {
 public:
  explicit TakenUp(const Config& config);

  // SHA-256 of the options, hexadecimal.
  const std::string& options_digest() const { return options_digest_; }
  // Options whose file holds something else now, or is gone or there: "--edge-cert". Not the
  // keytab, which is read again by itself.
  std::vector<std::string> ChangedFiles() const;

 private:
  std::string options_digest_;
  std::map<std::string, std::string> files_;  // Path by option.
  std::map<std::string, std::string> digests_;
};

// Tells administrators, and this IWA's own command, how it is. Thread-safe.
class StatusService final : public v1::IwaStatusService::Service {
 public:
  struct Parts {
    const Config& config;
    const SigningKeys& keys;
    const ForestTrusts& trusts;
    std::function<bool()> registered;
    WallTime started_at;
  };
  // What `parts` refers to outlives it.
  explicit StatusService(Parts parts) : parts_(std::move(parts)), taken_up_(parts_.config) {}

  grpc::Status GetStatus(grpc::ServerContext* context, const v1::GetStatusRequest* request,
                         v1::GetStatusResponse* response) override;

 private:
  const Parts parts_;
  const TakenUp taken_up_;
};

// `dt-iwa status`: asks the IWA that runs with this configuration, or with one of before, by its
// internal listener. What it says, for people.
absl::StatusOr<std::string> AskStatus(const Config& config);

}  // namespace devicetrust::iwa
