// HTTP responses, as our client reads them from a foreign server.
#include "libs/http/parser.h"
#include "tests/fuzz/input.h"

using namespace devicetrust;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::Input input(data, size);
  http::ResponseParser parser(http::ParserLimits{}, input.Choice() % 2 == 1);
  std::string_view text = input.Text();
  http::Progress progress = http::Progress::kNeedMore;
  while (!text.empty() && progress == http::Progress::kNeedMore) progress = parser.Feed(text);
  const bool whole = progress == http::Progress::kDone ||
                     (progress == http::Progress::kNeedMore && parser.Finish());
  if (whole) DT_CHECK(parser.Take().status >= 200);
  return 0;
}
