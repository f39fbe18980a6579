// The administrator's calls to the org and the CA: set-up of a simulated org, and what a run
// asks afterwards.
#pragma once

#include <grpcpp/channel.h>

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "devicetrust/org/v1/apps.pb.h"
#include "devicetrust/org/v1/decisions.pb.h"
#include "devicetrust/org/v1/rules.pb.h"
#include "libs/base/bytes.h"
#include "libs/base/clock.h"
#include "libs/base/status.h"
#include "simulator/devices/fleet.h"

namespace devicetrust::simulator {

struct AppRegistration {
  std::string id;
  std::string label;
  org::v1::SamlServiceProvider saml;
  std::vector<org::v1::Rule> rules;
};

// The reference's allow-list example in the order of its priorities (POL-5): legacy mail,
// trusted Windows with a factor, other platforms with a factor (rule 3 by its title), deny.
std::vector<org::v1::Rule> FiveRuleExample();
// For service providers from outside: trusted devices alone.
std::vector<org::v1::Rule> TrustedOnly();

// What the CA says of its active issuer.
struct Issuers {
  std::vector<Bytes> chain_der;  // Issuing certificate first, root last.
  std::string crl_url;
  std::string edge_address;
};

// One decision as the System Log has it.
struct LoggedDecision {
  std::string code;
  std::string rule;
  std::string outcome;  // "ALLOW", "DENY", "CHALLENGE"
  std::string reason;
};

// Every call has a deadline and keeps the reason of a refusal. Thread-safe.
class OrgClient {
 public:
  // Channels that carry an administrator's identity.
  OrgClient(std::shared_ptr<grpc::Channel> org, std::shared_ptr<grpc::Channel> ca)
      : org_(std::move(org)), ca_(std::move(ca)) {}

  // AD integration, Device Trust on, everybody imported with their factors. `sids` by user.
  absl::Status SetUp(const Fleet& fleet, const std::vector<std::string>& sids,
                     const std::string& learn_more_url);
  absl::Status Register(const AppRegistration& app);

  // True once an enabled IWA of that name has registered its keys.
  absl::StatusOr<bool> IwaIsRegistered(const std::string& name);

  absl::StatusOr<Issuers> GetIssuers();
  absl::Status RevokeCertificate(const std::string& serial);

  // Everything below looks at events of `since` and later.
  absl::StatusOr<std::map<std::string, std::uint64_t>> CountEvents(WallTime since);
  absl::StatusOr<std::vector<LoggedDecision>> ListDecisions(WallTime since);
  // Codes of a person's decisions, newest first, at most 100.
  absl::StatusOr<std::vector<std::string>> DecisionsOf(const std::string& principal);
  // Number of events of one type by outcome and reason: "FAILURE CERTIFICATE_REVOKED".
  absl::StatusOr<std::map<std::string, std::uint64_t>> CountOutcomes(const std::string& type,
                                                                     WallTime since);

  absl::StatusOr<org::v1::Decision> Explain(const std::string& code);

 private:
  absl::Status ImportPeople(const Fleet& fleet, const std::vector<std::string>& sids);
  template <typename Visit>
  absl::Status ForEachEvent(const std::string& type, WallTime since, Visit visit);

  const std::shared_ptr<grpc::Channel> org_;
  const std::shared_ptr<grpc::Channel> ca_;
};

}  // namespace devicetrust::simulator
