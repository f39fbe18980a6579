// The initiator's tokens of Negotiate, with Kerberos as the only mechanism: SPNEGO (RFC 4178)
// around Kerberos' tokens for GSSAPI (RFC 4121). The acceptor's side is GSSAPI's own.
// Private to libs/kerberos.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>

#include "libs/base/bytes.h"
#include "libs/kerberos/bindings.h"

namespace devicetrust::kerberos {

// What an AP-REQ's authenticator carries as its checksum, of type kGssChecksum (RFC 4121,
// section 4.1.1): `bindings` as application data of the channel bindings, and the wish for
// mutual authentication. Nothing when the library lacks MD5.
inline constexpr std::int32_t kGssChecksum = 0x8003;
std::optional<std::array<std::uint8_t, 24>> GssChecksum(const Bindings& bindings);

// NegTokenInit that offers Kerberos and carries its first token.
Bytes NegTokenInit(std::span<const std::uint8_t> ap_req);

// The AP-REP in a NegTokenResp that completes the exchange; nothing for any other token.
std::optional<std::span<const std::uint8_t>> ApRepOf(std::span<const std::uint8_t> neg_token_resp);

}  // namespace devicetrust::kerberos
