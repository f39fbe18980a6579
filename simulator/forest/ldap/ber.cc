#include "simulator/forest/ldap/ber.h"

#include <lber.h>

#include "libs/base/check.h"

namespace devicetrust::simulator {
namespace {

absl::Status MalformedBer() { return absl::InvalidArgumentError("malformed BER"); }

berval Borrow(std::string_view content) {
  // liblber only reads, but its struct knows no const.
  return {content.size(), const_cast<char*>(content.data())};
}

}  // namespace

void BerViewFree::operator()(berelement* element) const noexcept { ber_free(element, 0); }
void BerBufferFree::operator()(berelement* element) const noexcept { ber_free(element, 1); }

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

BerWriter::BerWriter() : element_(ber_alloc_t(LBER_USE_DER)) {
  DT_CHECK(element_ != nullptr);  // Fails only when memory is gone.
}

BerWriter& BerWriter::Begin(BerTag tag) {
  DT_CHECK(ber_printf(element_.get(), "t{", tag) >= 0);
  return *this;
}

BerWriter& BerWriter::End() {
  DT_CHECK(ber_printf(element_.get(), "}") >= 0);
  return *this;
}

BerWriter& BerWriter::Text(std::string_view text, BerTag tag) {
  const char* data = text.data() == nullptr ? "" : text.data();
  DT_CHECK(ber_printf(element_.get(), "to", tag, data, ber_len_t{text.size()}) >= 0);
  return *this;
}

BerWriter& BerWriter::Integer(int value, BerTag tag) {
  // "e" writes what "i" writes, under the tag given.
  DT_CHECK(ber_printf(element_.get(), "te", tag, ber_int_t{value}) >= 0);
  return *this;
}

void BerWriter::AppendTo(std::string& out) {
  berval value{};
  DT_CHECK(ber_flatten2(element_.get(), &value, 0) == 0);
  out.append(value.bv_val, value.bv_len);
}

}  // namespace devicetrust::simulator
