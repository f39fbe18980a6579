// Keys in a PKCS#11 token (an HSM, a smart card, SoftHSM), by the C API of its module.
#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <string>

#include "libs/base/status.h"
#include "libs/pki/external_key.h"
#include "libs/pki/key.h"

namespace devicetrust::pki {

struct Pkcs11Options {
  std::string module_path;  // Of the module, where a URI names none.
  std::string pin_file;     // The same of the PIN: mode 0600, the end of its line is cut off.

  // How long a caller waits for the token. The call itself goes on in a thread of its own, which no
  // one can end; while all of them are in such calls, callers are refused at once.
  std::chrono::milliseconds deadline{2000};
  std::size_t sessions_max = 4;  // Opened as they are needed; each signs on a thread of its own.

  // Between attempts to reach a token that failed; each is twice as long as the one before.
  // Meanwhile callers get the failure at once.
  std::chrono::milliseconds retry_min{100};
  std::chrono::milliseconds retry_max{5000};
};

// An ECDSA key in a token, P-256 or P-384, chosen by its CKA_ID.
class Pkcs11Key : public ExternalKey {
 public:
  // The token is not asked yet: it may be away. `expected` is what the key must be, of the
  // certificate that it signs for; a token with another key signs nothing. kInvalidArgument: `uri`
  // is none.
  static absl::StatusOr<std::shared_ptr<const Pkcs11Key>> For(const std::string& uri,
                                                              const PublicKey& expected,
                                                              Pkcs11Options options);
  // Asks the token for the public half: for a request, or a root.
  static absl::StatusOr<std::shared_ptr<const Pkcs11Key>> Find(const std::string& uri,
                                                               Pkcs11Options options);

  // Whether the token is there, takes the PIN and holds the expected key. kUnavailable: it may
  // later. kFailedPrecondition: somebody has to do what the message says.
  virtual absl::Status Check() const = 0;
};

}  // namespace devicetrust::pki
