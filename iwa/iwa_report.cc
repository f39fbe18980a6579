#include "iwa/iwa_report.h"

#include <fmt/format.h>

#include <utility>
#include <vector>

#include "libs/base/log_sparsely.h"
#include "libs/base/printable.h"
#include "libs/rpc/error.h"

namespace devicetrust::iwa {
namespace {

constexpr std::size_t kProblemBytesMax = 500;  // As the org takes it.

}  // namespace

StandingReport::StandingReport(const Config& config, std::string address, SigningKeyStore::Run run,
                               SigningKeys& keys, const ForestTrusts& trusts)
    : keys_(keys), trusts_(trusts) {
  fixed_.set_name(config.name);
  fixed_.set_address(std::move(address));
  fixed_.set_spn(config.spn);
  fixed_.set_version(kIwaVersion);
  fixed_.set_primary(config.primary);
  fixed_.set_binding("https");
  fixed_.set_forest(trusts.own_forest());
  fixed_.set_store_id(std::move(run.store_id));
  fixed_.set_process_id(std::move(run.process_id));
  fixed_.set_starts(run.starts);
  for (const ForestTrusts::State& domain : trusts.states()) fixed_.add_domains(domain.domain);
}

absl::StatusOr<org::v1::Iwa> StandingReport::Describe() {
  NoteStep(keys_.Advance());
  org::v1::Iwa iwa = fixed_;
  for (const StoredKey& stored : keys_.ring()->keys) {
    const token::SigningKey& key = stored.key;
    DT_ASSIGN_OR_RETURN(std::string jwk, token::ToJwk(key.key.public_key(), key.kid));
    org::v1::IwaKey* added = iwa.add_keys();
    added->set_kid(key.kid);
    added->set_jwk(std::move(jwk));
  }
  return iwa;
}

std::string StandingReport::Problem() {
  std::string problem = key_fault_;
  for (const ForestTrusts::State& domain : trusts_.states()) {
    if (domain.problem.empty()) continue;
    problem += fmt::format("{}{}: {}", problem.empty() ? "" : "; ", domain.domain, domain.problem);
  }
  // What a directory said may be any octets, and a message holds UTF-8 alone.
  problem = Printable(problem);
  while (problem.size() > kProblemBytesMax) {
    while ((static_cast<unsigned char>(problem.back()) & 0xc0U) == 0x80U) problem.pop_back();
    problem.pop_back();
  }
  return problem;
}

void StandingReport::NoteRegistered(const org::v1::Iwa& iwa) {
  keys_.Forbid(absl::OkStatus());
  std::vector<std::string> kids;
  for (const org::v1::IwaKey& key : iwa.keys()) kids.push_back(key.kid());
  NoteStep(keys_.NotePublished(kids));
}

void StandingReport::NoteStep(const absl::Status& step) {
  key_fault_ = step.ok() ? "" : "signing keys: " + std::string(step.message());
  if (step.ok()) return;
  LogSparsely(LogLevel::kError, "iwa.signing_key.fault", {}, {{"error", step.ToString()}});
}

void StandingReport::NoteNameTaken(const absl::Status& refusal) {
  keys_.Forbid(rpc::MakeError(
      absl::StatusCode::kUnavailable, reason::v1::REASON_IWA_NAME_TAKEN,
      std::string(refusal.message()), fixed_.name(),
      "Use another IWA; of two with one name, end this one or give it a name and a store."));
}

}  // namespace devicetrust::iwa
