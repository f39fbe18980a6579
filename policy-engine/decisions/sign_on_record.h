// Keeping a sign-on decision: the spent proof, the row, the events of it.
#pragma once

#include <string>
#include <vector>

#include "devicetrust/org/v1/system_log.pb.h"
#include "libs/base/random.h"
#include "libs/base/status.h"
#include "libs/db/connection.h"
#include "policy-engine/decisions/sign_on_facts.h"
#include "policy-engine/log/events.h"

namespace devicetrust::policy {

// What a record needs of randomness. Made before the transaction, so that a retry of it writes the
// same.
struct RecordIds {
  std::vector<std::string> codes;  // The first that is free becomes the decision's.
  std::string device_event;        // The ids of its events.
  std::string sign_on_event;

  static absl::StatusOr<RecordIds> New(WallTime now, Random& random);
};

// Spends the proof that `facts` rest on and stores the decision. `decided`: `facts.known`, which is
// not read, with what followed from it; gets its code here. Its events are added to `events`, which
// belong to the same transaction.
// kAborted: no code is free.
absl::Status RecordSignOn(db::Transaction& txn, const SignOnInput& input, const RecordIds& ids,
                          const SignOnFacts& facts, org::v1::Decision& decided,
                          std::vector<org::v1::Event>& events);

}  // namespace devicetrust::policy
