// Where a key lies in a PKCS#11 token, as one line of text (RFC 7512).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "libs/base/bytes.h"
#include "libs/base/status.h"

namespace devicetrust::pki {

inline constexpr std::size_t kPkcs11UriBytesMax = 2048;

// Attributes of the path, before the '?', must all match; those of the query say how to get at
// the token. An empty text is an attribute that was not given.
struct Pkcs11Uri {
  std::string token;
  std::string manufacturer;
  std::string serial;
  std::string model;
  std::string library_manufacturer;
  std::string library_description;
  std::string slot_description;
  std::string slot_manufacturer;
  std::optional<std::uint64_t> slot_id;
  std::string object;  // CKA_LABEL.
  std::string type;    // "private" and so on.
  Bytes id;            // CKA_ID.
  std::string module_name;
  std::string module_path;
  std::string pin_source;  // An absolute path, whether or not "file:" stood before it.

  // The one text for this value, which parses to it again.
  std::string ToString() const;

  bool operator==(const Pkcs11Uri&) const = default;
};

// Whether `text` means to be one: "pkcs11:" in any case.
bool IsPkcs11Uri(std::string_view text);

// kInvalidArgument names the attribute: unknown (`library-version` and what vendors add, too),
// given twice or empty, with an octet that may not stand there, no UTF-8; a slot-id that is no
// number, a type of RFC 7512 that there is not, a module or PIN file that is not an absolute path,
// a command for the PIN ("|..."), and `pin-value`: command lines and configurations are read by
// others.
absl::StatusOr<Pkcs11Uri> ParsePkcs11Uri(std::string_view text);

}  // namespace devicetrust::pki
