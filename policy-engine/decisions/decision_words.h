// A decision in words for the people who read an explanation.
#pragma once

#include <string>
#include <string_view>

#include "devicetrust/org/v1/decisions.pb.h"
#include "devicetrust/reason/v1/reason.pb.h"

namespace devicetrust::policy {

// Why a device is not trusted: "no certificate was presented". Empty for unspecified.
std::string_view WordsFor(reason::v1::Reason reason);

// The first step for whoever reads the decision; empty when it allowed. `app_asks_for_trust`: an
// active rule of its app named device trust, so that an unspecified trust means that Device Trust
// was off.
std::string RemedyFor(const org::v1::Decision& decision, bool app_asks_for_trust);

}  // namespace devicetrust::policy
