// Text forms of bytes: hex, base64 (RFC 4648 sections 4, 5 and 6), UTF-8 and JSON strings.
// Decoders are strict: one text for one value, so that what was compared or signed is
// what is used. They refuse with kInvalidArgument and never name the input, which may
// be a secret. All functions are pure and thread-safe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "libs/base/bytes.h"
#include "libs/base/status.h"

namespace devicetrust {

std::string HexEncode(std::span<const std::uint8_t> data);  // Lower case.
absl::StatusOr<Bytes> HexDecode(std::string_view text);     // Either case, even length.

// With padding. Decoding refuses white space, missing padding and non-zero spare bits.
std::string Base64Encode(std::span<const std::uint8_t> data);
absl::StatusOr<Bytes> Base64Decode(std::string_view text);

// URL alphabet without padding, as JOSE wants it (RFC 7515 section 2).
std::string Base64UrlEncode(std::span<const std::uint8_t> data);
absl::StatusOr<Bytes> Base64UrlDecode(std::string_view text);

// Upper case without padding on the way out; either case, padding optional on the way
// in, because people type TOTP secrets.
std::string Base32Encode(std::span<const std::uint8_t> data);
absl::StatusOr<Bytes> Base32Decode(std::string_view text);

// Octets of the UTF-8 sequence at the front of `text`, which is not empty; 0 when there is
// none: overlong forms, surrogates, values above U+10FFFF (RFC 3629, section 4).
std::size_t Utf8Length(std::string_view text);
bool IsUtf8(std::string_view text);
// At most `bytes_max` octets of UTF-8 text, never half a character.
std::string CutText(std::string_view text, std::size_t bytes_max);

// `text` as a JSON string with its quotes (RFC 8259 section 7). Bytes that are no UTF-8
// become U+FFFD, so that any input gives valid JSON.
std::string JsonQuote(std::string_view text);

}  // namespace devicetrust
