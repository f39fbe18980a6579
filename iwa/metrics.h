// What the IWA measures beside its calls and its store. docs/metrics.md lists it.
#pragma once

#include "libs/metrics/metrics.h"

namespace devicetrust::iwa {

inline const metrics::Counters kTokens(
    "dt_iwa_tokens_total",
    "Tokens asked for, by kind (device, user) and result: OK, or the reason of the refusal.",
    {"kind", "result"});

inline const metrics::Counters kWhoamis(
    "dt_iwa_whoamis_total",
    "Tickets shown at /iwa/whoami, by result: OK, or why the account could not enroll.",
    {"result"});

}  // namespace devicetrust::iwa
