#include "simulator/forest/ldap/ber.h"

#include <lber.h>

#include <array>

#include "libs/base/check.h"

namespace devicetrust::simulator {
namespace {

absl::Status MalformedBer() { return absl::InvalidArgumentError("malformed BER"); }

berval Borrow(std::string_view content) {
  // liblber only reads, but its struct knows no const.
  return {content.size(), const_cast<char*>(content.data())};
}

// A length in its shortest form (X.690, section 10.1).
struct Length {
  explicit Length(std::size_t value) {
    if (value < 0x80) {
      bytes[0] = static_cast<char>(value);
      return;
    }
    std::size_t count = 1;
    while (count < sizeof value && value >> (8 * count) != 0) ++count;
    bytes[0] = static_cast<char>(0x80U | count);
    for (std::size_t i = 0; i < count; ++i) {
      bytes[1 + i] = static_cast<char>(value >> (8 * (count - 1 - i)));
    }
    size = 1 + count;
  }
  std::array<char, 1 + sizeof(std::size_t)> bytes{};
  std::size_t size = 1;
};

}  // namespace

void BerViewFree::operator()(berelement* element) const noexcept { ber_free(element, 0); }

BerReader::BerReader(std::string_view content) : element_(ber_alloc_t(0)) {
  DT_CHECK(element_ != nullptr);  // Fails only when memory is gone.
  berval value = Borrow(content);
  if (value.bv_val == nullptr) value.bv_val = const_cast<char*>("");
  ber_init2(element_.get(), &value, 0);
}

bool BerReader::AtEnd() const {
  ber_len_t left = 0;
  ber_get_option(element_.get(), LBER_OPT_BER_REMAINING_BYTES, &left);
  return left == 0;
}

absl::StatusOr<BerItem> BerReader::Next() {
  if (AtEnd()) return MalformedBer();
  berval value{};
  const ber_tag_t tag = ber_skip_element(element_.get(), &value);
  if (tag == LBER_DEFAULT) return MalformedBer();
  return BerItem{tag, {value.bv_val, value.bv_len}};
}

absl::StatusOr<std::string_view> BerReader::Next(BerTag tag) {
  DT_ASSIGN_OR_RETURN(const BerItem item, Next());
  if (item.tag != tag) return MalformedBer();
  return item.content;
}

absl::StatusOr<int> BerReader::NextInteger(BerTag tag) {
  DT_ASSIGN_OR_RETURN(const std::string_view content, Next(tag));
  if (content.empty() || content.size() > 4) return MalformedBer();
  const berval value = Borrow(content);
  ber_int_t number = 0;
  if (ber_decode_int(&value, &number) != 0) return MalformedBer();
  return number;
}

absl::StatusOr<bool> BerReader::NextBoolean(BerTag tag) {
  DT_ASSIGN_OR_RETURN(const std::string_view content, Next(tag));
  if (content.size() != 1) return MalformedBer();
  return content[0] != 0;
}

absl::StatusOr<BerFrame> ReadBerFrame(std::string_view input, std::size_t content_bytes_max) {
  if (input.empty()) return BerFrame{};
  if (static_cast<unsigned char>(input[0]) != kBerSequence) return MalformedBer();
  if (input.size() < 2) return BerFrame{};
  const auto first = static_cast<unsigned char>(input[1]);
  if (first == 0x80 || first > 0x84) return MalformedBer();  // Indefinite, or over 4 GB.
  const std::size_t extra = first < 0x80 ? 0 : first & 0x7fU;
  if (input.size() < 2 + extra) return BerFrame{};
  std::size_t length = extra == 0 ? first : 0;
  for (std::size_t i = 0; i < extra; ++i) {
    length = length << 8U | static_cast<unsigned char>(input[2 + i]);
  }
  if (length > content_bytes_max) return absl::ResourceExhaustedError("LDAP message is too long");
  if (input.size() < 2 + extra + length) return BerFrame{};
  return BerFrame{2 + extra, length};
}

BerWriter& BerWriter::Begin(BerTag tag) {
  bytes_ += static_cast<char>(tag);
  bytes_ += '\0';  // The length, when it is known and if it is short.
  open_.push_back(bytes_.size());
  return *this;
}

BerWriter& BerWriter::End() {
  DT_CHECK(!open_.empty());
  const std::size_t begin = open_.back();
  open_.pop_back();
  const Length length(bytes_.size() - begin);
  bytes_[begin - 1] = length.bytes[0];
  bytes_.insert(begin, length.bytes.data() + 1, length.size - 1);
  return *this;
}

BerWriter& BerWriter::Text(std::string_view text, BerTag tag) {
  const Length length(text.size());
  bytes_ += static_cast<char>(tag);
  bytes_.append(length.bytes.data(), length.size);
  bytes_ += text;
  return *this;
}

BerWriter& BerWriter::Integer(int value, BerTag tag) {
  // Big-endian two's complement, without a first byte that the sign of the next one implies.
  std::array<char, 4> bytes{};
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    bytes[i] = static_cast<char>(static_cast<unsigned>(value) >> (8 * (bytes.size() - 1 - i)));
  }
  std::size_t first = 0;
  while (first + 1 < bytes.size() && bytes[first] == (bytes[first + 1] < 0 ? -1 : 0)) ++first;
  return Text({bytes.data() + first, bytes.size() - first}, tag);
}

void BerWriter::AppendTo(std::string& out) const {
  DT_CHECK(open_.empty());
  out += bytes_;
}

}  // namespace devicetrust::simulator
