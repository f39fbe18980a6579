// Encrypted assertions (SAML core, section 2.3.4; XML Encryption 1.1): a fresh AES key for each,
// and that by RSA-OAEP for the service provider's. RSA PKCS#1 v1.5 is no choice: it is an oracle.
#pragma once

#include <string>
#include <string_view>

#include "devicetrust/org/v1/apps.pb.h"
#include "libs/base/random.h"
#include "libs/base/status.h"

namespace devicetrust::saml {

// How to encrypt to a key: the best of what its metadata asks for, and without a word of it
// AES-256-GCM with RSA-OAEP and SHA-1, which every service provider reads.
struct EncryptionChoice {
  std::string_view content;    // Address of the content cipher.
  std::string_view transport;  // Of the key transport.
  // CBC: whoever changes the cipher text is not noticed but by a signature around it.
  bool needs_signature_outside = false;
};

// kFailedPrecondition: the metadata asks for methods alone that we don't have; names them.
absl::StatusOr<EncryptionChoice> ChooseEncryption(const org::v1::SamlEncryptionKey& key);

// A saml:EncryptedAssertion in canonical form around `assertion`, which declares its namespaces.
// Errors: as above; kInvalidArgument: the certificate is broken or its key is not RSA.
absl::StatusOr<std::string> EncryptAssertion(std::string_view assertion,
                                             const org::v1::SamlEncryptionKey& key, Random& random);

}  // namespace devicetrust::saml
