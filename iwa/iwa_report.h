#pragma once

#include <string>

#include "iwa/config.h"
#include "iwa/forest_trusts.h"
#include "iwa/registration.h"
#include "iwa/signing_key_store.h"
#include "iwa/signing_keys.h"

namespace devicetrust::iwa {

// What there is to tell of this IWA: its configuration, its keys at the moment, and what is wrong.
// Keys are tended to here: time moves on between two reports. Of one thread.
class StandingReport final : public IwaReport {
 public:
  // The references outlive it. `address`: of its edge listener, for agents.
  StandingReport(const Config& config, std::string address, SigningKeyStore::Run run,
                 SigningKeys& keys, const ForestTrusts& trusts);

  absl::StatusOr<org::v1::Iwa> Describe() override;
  std::string Problem() override;
  void NoteRegistered(const org::v1::Iwa& iwa) override;
  void NoteNameTaken(const absl::Status& refusal) override;

 private:
  void NoteStep(const absl::Status& step);

  org::v1::Iwa fixed_;  // Without keys.
  SigningKeys& keys_;
  const ForestTrusts& trusts_;
  std::string key_fault_;  // Of the last step of the keys.
};

}  // namespace devicetrust::iwa
