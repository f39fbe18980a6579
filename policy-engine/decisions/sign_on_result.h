#pragma once

#include "devicetrust/org/v1/decisions.pb.h"

namespace devicetrust::policy {

// What a gateway gets to hear of a decision. `user`: all fields, for its answer to the app.
org::v1::SignOnResult ResultOf(const org::v1::Decision& decision, const org::v1::User& user);

}  // namespace devicetrust::policy
