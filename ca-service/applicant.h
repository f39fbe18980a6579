#pragma once

#include <string>
#include <string_view>

#include "libs/base/clock.h"
#include "libs/token/claims.h"

namespace devicetrust::ca {

// An account of a directory, by its id there and by the name that people see.
struct Account {
  std::string sid;   // "S-1-5-21-..."
  std::string name;  // "alice@CORP.TEST", "PC0042$"
};

// What proves that an applicant may ask: good once, spent in the transaction of the certificate
// that it pays for.
struct Evidence {
  std::string id;        // Never used by another evidence.
  WallTime expires_at;   // When nobody accepts it any more, clock skew included.
  std::string iwa_name;  // The IWA that saw both tickets; empty when the token names none.
  std::string key_id;    // The IWA's key that signed for it.
};

// Who asks for a certificate, for which key, and by what evidence. All of it is verified.
struct Applicant {
  Account user;
  Account computer;
  std::string realm;           // Of the computer: "CORP.TEST".
  std::string key_thumbprint;  // Of the one key that may be certified (RFC 7638).
  Evidence evidence;
};

// The applicant for whom an IWA of `org` vouches by `token`, which was verified.
Applicant ApplicantOf(const token::UserToken& token, std::string_view org);

}  // namespace devicetrust::ca
