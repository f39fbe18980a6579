#include "ca-service/applicant.h"

#include <chrono>

#include "libs/token/names.h"

namespace devicetrust::ca {

Applicant ApplicantOf(const token::UserToken& token, std::string_view org) {
  const token::Envelope& envelope = token.envelope;
  return {{token.user_sid, token.user_name},
          {token.computer_sid, token.computer_name},
          token.realm,
          token.key_thumbprint,
          {envelope.id, envelope.expires_at + token::kClockSkew + std::chrono::seconds(1),
           token::IdOfUrn(envelope.issuer, org, "iwa").value_or(std::string()), envelope.key_id}};
}

}  // namespace devicetrust::ca
