// Federation metadata that an administrator was sent by somebody.
#include "libs/wsfed/metadata.h"
#include "tests/fuzz/input.h"

using namespace devicetrust;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const fuzz::Input input(data, size);
  const auto read = wsfed::ParseRelyingParty(
      input.Text(), WallTime{std::chrono::sys_days{std::chrono::year{2026} / 6 / 1}});
  if (read.ok()) DT_CHECK(!read->party.realm().empty() && read->party.reply_urls_size() > 0);
  return 0;
}
