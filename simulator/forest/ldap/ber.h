// BER (X.690, as RFC 4511 section 5.1 restricts it): reading with liblber, and writing.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "libs/base/status.h"

struct berelement;  // liblber's BerElement.

namespace devicetrust::simulator {

using BerTag = unsigned long;  // liblber's ber_tag_t.
inline constexpr BerTag kBerBoolean = 0x01;
inline constexpr BerTag kBerInteger = 0x02;
inline constexpr BerTag kBerOctetString = 0x04;
inline constexpr BerTag kBerEnumerated = 0x0a;
inline constexpr BerTag kBerSequence = 0x30;
inline constexpr BerTag kBerSet = 0x31;

// One element; `content` points into the bytes that were read.
struct BerItem {
  BerTag tag = 0;
  std::string_view content;
};

struct BerViewFree {  // The bytes stay: they are somebody else's.
  void operator()(berelement* element) const noexcept;
};

// Walks the elements of one container. liblber lets an inner length reach past its
// container unless each container gets a reader of its own, and looks at the byte
// behind the end: so the memory behind `content` must be readable for one more byte,
// which a std::string's is and a container inside one has too. Untrusted input is
// fine. Single-threaded; errors are kInvalidArgument "malformed BER".
class BerReader {
 public:
  explicit BerReader(std::string_view content);

  bool AtEnd() const;
  absl::StatusOr<BerItem> Next();
  absl::StatusOr<std::string_view> Next(BerTag tag);
  absl::StatusOr<int> NextInteger(BerTag tag = kBerInteger);  // At most 4 bytes long.
  absl::StatusOr<bool> NextBoolean(BerTag tag = kBerBoolean);

 private:
  std::unique_ptr<berelement, BerViewFree> element_;
};

// Length of the LDAPMessage at the front of `input`: its header, and the contents
// after it. Both 0: more bytes are needed. kInvalidArgument: `input` does not begin
// with a SEQUENCE of definite length; kResourceExhausted: the contents are longer than
// `content_bytes_max`. Decided before any of the contents has to be kept.
struct BerFrame {
  std::size_t header_bytes = 0;
  std::size_t content_bytes = 0;
};
absl::StatusOr<BerFrame> ReadBerFrame(std::string_view input, std::size_t content_bytes_max);

// Builds one message; Begin and End must match. Text may hold any bytes; tags have one byte.
class BerWriter {
 public:
  BerWriter& Begin(BerTag tag = kBerSequence);
  BerWriter& End();
  BerWriter& Text(std::string_view text, BerTag tag = kBerOctetString);
  BerWriter& Integer(int value, BerTag tag = kBerInteger);
  // Appends what was built to `out`.
  void AppendTo(std::string& out) const;

 private:
  std::string bytes_;
  std::vector<std::size_t> open_;  // Where the contents of each open container begin.
};

}  // namespace devicetrust::simulator
