// The simulated domain's LDAP: a client's messages, before and after it has said who it is.
#include <array>
#include <cstdlib>
#include <filesystem>
#include <string>

#include "libs/base/clock.h"
#include "libs/throwaway/seeded_random.h"
#include "simulator/forest/account_table.h"
#include "simulator/forest/ldap/ber.h"
#include "simulator/forest/ldap/entry.h"
#include "simulator/forest/ldap/filter.h"
#include "simulator/forest/ldap/session.h"
#include "tests/fuzz/input.h"

using namespace devicetrust;

namespace {

// One table and its entries, for all inputs; the file is gone at once.
const simulator::LdapEntries& Entries() {
  static const auto* const entries = [] {
    static const SystemClock clock;
    static throwaway::SeededRandom random(7);
    std::string folder = std::filesystem::temp_directory_path() / "dt-fuzz-XXXXXX";
    DT_CHECK(mkdtemp(folder.data()) != nullptr);
    static auto table =
        simulator::AccountTable::Create(folder + "/accounts", 100, clock, random).value();
    const std::uint32_t realm =
        table->AddRealm({"CORP.TEST", "CORP", std::array<std::uint32_t, 3>{1, 2, 3}}).value();
    const simulator::NewAccount ada{.name = "ada", .password = "Pw-ada", .mail = "ada@corp.test"};
    DT_CHECK(table->Add(realm, {&ada, 1}).ok());
    const auto* const made = new simulator::LdapEntries(
        simulator::AccountView::Open(folder + "/accounts").value(), {}, clock);
    std::filesystem::remove_all(folder);
    return made;
  }();
  return *entries;
}

void Talk(std::string_view text, simulator::LdapSession& session) {
  std::string out;
  while (!text.empty()) {
    const auto frame = simulator::ReadBerFrame(text, session.message_bytes_max());
    if (!frame.ok() || frame->header_bytes == 0) return;
    text.remove_prefix(frame->header_bytes);
    if (text.size() < frame->content_bytes) return;
    if (!session.Handle(text.substr(0, frame->content_bytes), out)) return;
    text.remove_prefix(frame->content_bytes);
    out.clear();
  }
}

// Message 1: a simple bind of ada@corp.test with the password Pw-ada.
constexpr char kBind[] =
    "\x02\x01\x01\x60\x1a\x02\x01\x03\x04\x0d"
    "ada@corp.test\x80\x06Pw-ada";

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const SystemClock clock;
  fuzz::Input input(data, size);
  simulator::LdapSession session(Entries(), clock, {});
  if (input.Choice() % 2 == 1) {
    std::string out;
    DT_CHECK(session.Handle({kBind, sizeof(kBind) - 1}, out));
  }
  const std::string text(input.Text());  // liblber looks at the byte behind: here a NUL.
  Talk(text, session);

  simulator::BerReader reader(text);
  if (const auto item = reader.Next(); item.ok()) DT_FUZZ_USE(simulator::ParseLdapFilter(*item));
  return 0;
}
