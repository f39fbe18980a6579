#include "simulator/gateway/sso/packing.h"

#include "libs/base/check.h"

namespace devicetrust::gateway {

Packer& Packer::Text(std::string_view text) {
  DT_CHECK(text.size() <= 0xffff);
  bytes_.push_back(static_cast<std::uint8_t>(text.size() >> 8));
  bytes_.push_back(static_cast<std::uint8_t>(text.size() & 0xff));
  bytes_.insert(bytes_.end(), text.begin(), text.end());
  return *this;
}

Packer& Packer::Number(std::int64_t number) {
  const auto bits = static_cast<std::uint64_t>(number);
  for (int shift = 56; shift >= 0; shift -= 8) {
    bytes_.push_back(static_cast<std::uint8_t>(bits >> shift));
  }
  return *this;
}

Packer& Packer::Flag(bool flag) {
  bytes_.push_back(flag ? 1 : 0);
  return *this;
}

Unpacker::Unpacker(std::span<const std::uint8_t> bytes, std::uint8_t version)
    : rest_(bytes), ok_(!bytes.empty() && bytes.front() == version) {
  if (ok_) rest_ = rest_.subspan(1);
}

std::string Unpacker::Text() {
  const std::size_t size = ok_ && rest_.size() >= 2 ? rest_[0] * 256U + rest_[1] : 0;
  ok_ = ok_ && rest_.size() >= 2 + size;
  if (!ok_) return "";
  std::string text(rest_.begin() + 2, rest_.begin() + 2 + static_cast<std::ptrdiff_t>(size));
  rest_ = rest_.subspan(2 + size);
  return text;
}

std::int64_t Unpacker::Number() {
  ok_ = ok_ && rest_.size() >= 8;
  if (!ok_) return 0;
  std::uint64_t bits = 0;
  for (int i = 0; i < 8; ++i) bits = (bits << 8) | rest_[static_cast<std::size_t>(i)];
  rest_ = rest_.subspan(8);
  return static_cast<std::int64_t>(bits);
}

bool Unpacker::Flag() {
  ok_ = ok_ && !rest_.empty() && rest_.front() <= 1;
  if (!ok_) return false;
  const bool flag = rest_.front() == 1;
  rest_ = rest_.subspan(1);
  return flag;
}

}  // namespace devicetrust::gateway
