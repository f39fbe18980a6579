// Keeping a sign-on decision: the spent proof, the row, the events, in one transaction.
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
  org::v1::Event device_event;     // Of these two only the ids are set.
  org::v1::Event sign_on_event;

  static absl::StatusOr<RecordIds> New(EventSink& events, Random& random);
};

// Spends the proof that `facts` rest on, stores the decision and appends its events. `decided`:
// the known fields of `facts` with what followed from them; gets its code here.
// kAborted: no code is free.
absl::Status RecordSignOn(db::Transaction& txn, EventSink& events, const SignOnInput& input,
                          const RecordIds& ids, const SignOnFacts& facts,
                          org::v1::Decision& decided);

}  // namespace devicetrust::policy
