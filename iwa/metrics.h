// What the IWA measures beside its calls and its store. docs/metrics.md lists it.
#pragma once

#include "libs/metrics/metrics.h"

namespace devicetrust::iwa {

inline const metrics::Counters kTokens(
    "dt_iwa_tokens_total",
    "Tokens asked for, by kind (device, user) and result: OK, or the reason of the refusal.",
    {"kind", "result"});

}  // namespace devicetrust::iwa
