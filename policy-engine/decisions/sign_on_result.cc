#include "policy-engine/decisions/sign_on_result.h"

namespace devicetrust::policy {

namespace v1 = ::devicetrust::org::v1;

v1::SignOnResult ResultOf(const v1::Decision& decision, const v1::User& user) {
  v1::SignOnResult result;
  result.set_outcome(decision.outcome());
  result.set_code(decision.code());
  result.set_rule_name(decision.rule_name());
  result.set_rule_index(decision.rule_index());
  result.set_trust(decision.trust());
  result.set_reason(decision.trust_reason());
  const bool by_rule = decision.trust_reason() == reason::v1::REASON_UNSPECIFIED &&
                       decision.outcome() == v1::OUTCOME_DENIED;
  if (by_rule) result.set_reason(reason::v1::REASON_DENIED_BY_RULE);
  if (!decision.device_id().empty()) {
    result.set_certificate_serial(decision.certificate_serial());
  }
  const bool asks = decision.outcome() == v1::OUTCOME_FACTOR_REQUIRED;
  if (asks && user.factors().empty()) {
    result.set_factor_reason(reason::v1::REASON_FACTOR_NOT_ENROLLED);
  }
  *result.mutable_user() = user;
  return result;
}

}  // namespace devicetrust::policy
