// XML signatures as SAML uses them: one reference, to the element that holds the signature.
#pragma once

#include <span>
#include <string_view>

#include "libs/base/status.h"
#include "libs/pki/key.h"
#include "simulator/apps/xml.h"

namespace devicetrust::simulator {

// Checks that `element`, whose ID is in the attribute `id_attribute`, carries exactly one
// ds:Signature as a child, that this signature's one reference is to `element` itself by its ID (so
// nothing else can be meant by it), that its digest is of `element` without the signature, and that
// one of `keys` made it. Whoever then reads from `element`, by this pointer, reads what was signed.
//
// Allowed are exactly: exclusive canonical form, enveloped-signature, SHA-256, RSA
// with SHA-256 (saml-core-2.0, section 5.4; XML Signature 1.1). A KeyInfo is not looked at.
//
// Errors: kInvalidArgument for another shape or algorithm; kUnauthenticated when digest or
// signature do not verify.
absl::Status VerifySignature(const Document& document, Element element,
                             std::span<const pki::PublicKey> keys,
                             std::string_view id_attribute = "ID");

}  // namespace devicetrust::simulator
