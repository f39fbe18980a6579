// Writes fields one after the other, text with its length: the plain text of what is sealed for
// a browser. Both ends are this program (or its next version), so fields have no names and a
// fixed order. Uses libs/base alone.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "libs/base/bytes.h"
#include "libs/base/clock.h"

namespace devicetrust::gateway {

class Packer {
 public:
  // The first octet: which version of which struct follows.
  explicit Packer(std::uint8_t version) : bytes_{version} {}
  Packer& Text(std::string_view text);  // At most 65535 octets.
  Packer& Number(std::int64_t number);
  Packer& Flag(bool flag);  // One octet.
  Packer& Time(WallTime time) { return Number(UnixSeconds(time)); }
  Bytes Take() { return std::move(bytes_); }

 private:
  Bytes bytes_;
};

// Reads what a Packer wrote. After any misfit Done() is false and every value is empty.
class Unpacker {
 public:
  Unpacker(std::span<const std::uint8_t> bytes, std::uint8_t version);
  std::string Text();
  std::int64_t Number();
  bool Flag();  // An octet other than 0 and 1 is a misfit.
  WallTime Time() { return AtUnixSeconds(Number()); }
  // True when all fitted and nothing is left.
  bool Done() const { return ok_ && rest_.empty(); }

 private:
  std::span<const std::uint8_t> rest_;
  bool ok_;
};

}  // namespace devicetrust::gateway
