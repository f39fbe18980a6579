// HTTP requests: however the octets are cut into pieces, the parser says the same.
#include <string>

#include "libs/http/parser.h"
#include "tests/fuzz/input.h"

using namespace devicetrust;

namespace {

struct Outcome {
  http::Progress progress = http::Progress::kNeedMore;
  std::string target;
  std::string path;
  std::string body;
  std::size_t fields = 0;

  bool operator==(const Outcome&) const = default;
};

Outcome Parse(std::string_view text, std::size_t piece) {
  http::RequestParser parser{http::ParserLimits{}};
  Outcome outcome;
  while (!text.empty() && outcome.progress == http::Progress::kNeedMore) {
    std::string_view now = text.substr(0, piece);
    const std::size_t offered = now.size();
    outcome.progress = parser.Feed(now);
    text.remove_prefix(offered - now.size());
    if (outcome.progress == http::Progress::kNeedMore) DT_CHECK(now.empty());
  }
  if (outcome.progress != http::Progress::kDone) return outcome;
  const http::Request request = parser.Take();
  DT_CHECK(request.path.starts_with('/') && request.path.find('\0') == std::string::npos);
  DT_FUZZ_USE(request.QueryParameters());
  DT_FUZZ_USE(request.FormParameters());
  DT_FUZZ_USE(request.Cookie("__Host-dt-session"));
  outcome.target = request.target;
  outcome.path = request.path;
  outcome.body = request.body;
  outcome.fields = request.fields.all().size();
  return outcome;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::Input input(data, size);
  const std::size_t piece = 1 + input.Choice() % 16;
  DT_CHECK(Parse(input.Text(), input.Text().size() + 1) == Parse(input.Text(), piece));
  return 0;
}
