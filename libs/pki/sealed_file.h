// The key-encryption key of a deployment.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "libs/base/bytes.h"
#include "libs/base/random.h"
#include "libs/base/status.h"
#include "libs/pki/aead.h"

namespace devicetrust::pki {

// Reads the key-encryption key: 64 hex digits, white space around them ignored (a systemd
// credential, a Kubernetes secret). Its id is "kek-" and 16 digits that derive from it, so
// that sealed data names its key without a register. kFailedPrecondition when group or
// world may read the file, kInvalidArgument when it holds something else.
absl::StatusOr<AeadKey> LoadKeyEncryptionKey(const std::string& path);

// Makes such a file, mode 0600. kAlreadyExists rather than losing an old key.
absl::Status WriteKeyEncryptionKey(const std::string& path, Random& random);

}  // namespace devicetrust::pki
