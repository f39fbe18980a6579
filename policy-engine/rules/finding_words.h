// A finding in one sentence, for administrators.
#pragma once

#include <string>

#include "policy-engine/rules/analysis.h"

namespace devicetrust::policy {

// "rule 3 'All platforms' admits untrusted devices where rule 2 'Managed' asks for trusted ones".
std::string Describe(const CompiledPolicy& policy, const Finding& finding);

// "rule 2 'Managed'"; the default rule by its name alone.
std::string NameOf(const CompiledPolicy& policy, std::size_t rule);

}  // namespace devicetrust::policy
