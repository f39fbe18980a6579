// What an edge makes of frames that no client of ours sends: other clients are served meanwhile,
// and nothing of it outlives its connection.
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

#include <random>

#include "libs/base/files.h"
#include "libs/base/log_sparsely.h"
#include "libs/net/endpoint.h"
#include "libs/net/stream.h"
#include "libs/pki/tls_context.h"
#include "libs/rpc/server_fixture.h"
#include "libs/testing/temp_folder.h"

namespace devicetrust::rpc::frames_test {
namespace {

namespace asio = boost::asio;
using net::Tcp;

enum Type : std::uint8_t {
  kData,
  kHeaders,
  kPriority,
  kReset,
  kSettings,
  kPushPromise,
  kPing,
  kGoAway,
  kWindowUpdate,
  kContinuation,
  kUnknown = 0xee
};
constexpr std::uint8_t kEndStream = 0x1;
constexpr std::uint8_t kEndHeaders = 0x4;
constexpr std::uint8_t kPadded = 0x8;
constexpr std::uint8_t kWithPriority = 0x20;

std::string Number(std::uint32_t number, int octets) {
  std::string text;
  for (int i = octets - 1; i >= 0; --i) text += static_cast<char>(number >> (8 * i) & 0xff);
  return text;
}

std::string Frame(std::uint8_t type, std::uint8_t flags, std::uint32_t stream,
                  const std::string& content = "") {
  return Number(static_cast<std::uint32_t>(content.size()), 3) + static_cast<char>(type) +
         static_cast<char>(flags) + Number(stream, 4) + content;
}

// Literals that go into no table (RFC 7541, section 6.2.2).
std::string Field(const std::string& name, const std::string& value) {
  return std::string(1, '\0') + static_cast<char>(name.size()) + name +
         static_cast<char>(value.size()) + value;
}

std::string Fields(const std::string& path) {
  return Field(":method", "POST") + Field(":scheme", "https") + Field(":path", path) +
         Field(":authority", "edge") + Field("te", "trailers") +
         Field("content-type", "application/grpc");
}

std::string Message(const std::string& text) {
  return std::string(1, '\0') + Number(static_cast<std::uint32_t>(text.size()), 4) + text;
}

class FramesTest : public ServerTest {
 protected:
  std::uint32_t Word() { return static_cast<std::uint32_t>(random_()); }
  std::uint32_t Pick(std::uint32_t below) { return Word() % below; }
  std::string Any(std::size_t most) {
    std::string text(Pick(static_cast<std::uint32_t>(most) + 1), '\0');
    for (char& c : text) c = static_cast<char>(random_());
    return text;
  }

  std::string Setting() {
    return Number(1 + Pick(7), 2) + Number(Pick(2) == 0 ? Pick(70'000) : Word(), 4);
  }

  // One frame, most of them such as a client might send.
  std::string AnyFrame() {
    const std::string path = Pick(3) == 0
                                 ? "/grpc.health.v1.Health/Check"
                                 : "/devicetrust.ca.v1.CertificateAdminService/RevokeForUser";
    const std::uint8_t ends = Pick(2) == 0 ? kEndStream : 0;
    switch (Pick(16)) {
      case 0:
      case 1:
        stream_ += 2;
        return Frame(kHeaders, kEndHeaders, stream_, Fields(path)) +
               Frame(kData, kEndStream, stream_, Message(""));
      case 2:
        stream_ += 2;
        return Frame(kHeaders, kEndHeaders | ends, stream_, Fields(path));
      case 3:
        stream_ += 2;
        return Frame(kHeaders, kEndHeaders | kPadded, stream_,
                     std::string(1, '\x04') + Fields(path) + std::string(4, '\0'));
      case 4:
        stream_ += 2;
        return Frame(kHeaders, kEndHeaders | kWithPriority, stream_,
                     Number(Word(), 4) + 'x' + Fields(path));
      case 5:
        return Frame(kData, ends, stream_, Message(Any(300)));
      case 6:
        return Frame(kData, static_cast<std::uint8_t>(kPadded | ends), stream_,
                     std::string(1, '\x03') + Message("") + std::string(3, '\0'));
      case 7:
        return Frame(kReset, 0, 1 + 2 * Pick(stream_ / 2 + 1), Number(Pick(14), 4));
      case 8:
        return Frame(kSettings, 0, 0, Setting() + (Pick(2) == 0 ? Setting() : ""));
      case 9:
        return Frame(kSettings, 1, 0);
      case 10:
        return Frame(kPing, static_cast<std::uint8_t>(Pick(2)), 0, "12345678");
      case 11:
        return Frame(kWindowUpdate, 0, Pick(2) == 0 ? 0 : stream_,
                     Number(Pick(2) == 0 ? 0x7fffffff : Pick(100'000), 4));
      case 12:
        return Frame(kPriority, 0, 1 + 2 * Pick(50), Number(Pick(9), 4) + 'w');
      case 13:
        return Frame(kUnknown, static_cast<std::uint8_t>(Pick(256)), Pick(20), Any(200));
      case 14:
        return Pick(4) == 0 ? Frame(kGoAway, 0, 0, Number(0, 4) + Number(0, 4)) : "";
      default:
        return Pick(6) != 0 ? ""
                            : Frame(static_cast<std::uint8_t>(Pick(12)),
                                    static_cast<std::uint8_t>(Pick(256)), Pick(9), Any(64));
    }
  }

  static std::string Begin(const std::string& settings = "") {
    return "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + Frame(kSettings, 0, 0, settings);
  }
  std::string AnyConnection() {
    stream_ = 1;
    std::string text =
        Begin(Pick(2) == 0 ? Setting() : "") +
        Frame(kHeaders, kEndHeaders, stream_, Fields("/grpc.health.v1.Health/Check"));
    for (std::uint32_t i = Pick(40); i > 0; --i) text += AnyFrame();
    return text;
  }

  // Sends in pieces, reads a little, and goes.
  static Task<void> Talk(const pki::TlsContext& tls, Tcp::endpoint server, std::string text,
                         std::size_t piece, bool reads) {
    Tcp::socket socket(co_await asio::this_coro::executor);
    if (std::get<0>(co_await socket.async_connect(server, kAsTuple))) co_return;
    const auto stream = net::NewTlsClientStream(std::move(socket), tls.NewClientSession("edge"));
    asio::steady_timer timer(stream->socket().get_executor(), std::chrono::milliseconds(300));
    timer.async_wait([&](const boost::system::error_code& error) {
      boost::system::error_code ignored;
      if (!error) stream->socket().close(ignored);
    });
    if (!co_await stream->Handshake()) {
      bool well = true;
      for (std::size_t at = 0; well && at < text.size(); at += piece) {
        const std::string part = text.substr(at, piece);
        well = !co_await stream->Write(part);
      }
      std::array<char, 4096> buffer;
      while (reads && well) well = !(co_await stream->Read(asio::buffer(buffer))).error;
    }
    timer.cancel();
    co_await asio::post(stream->socket().get_executor(), kAsTuple);
  }

  pki::TlsContext Tls() {
    return pki::TlsContext::ForClient({.trusted = {}, .exactly = pki_.Component("ca").certificate})
        .value();
  }
  Tcp::endpoint Address() const { return net::ParseEndpoint(server_->address(), "").value(); }

  std::mt19937 random_{7};
  std::uint32_t stream_ = 0;
};

TEST_F(FramesTest, OthersAreServedWhateverAStrangerSends) {
  ListenerConfig config = Edge();
  config.in_flight_max = 32;
  config.connections.message = std::chrono::milliseconds(100);
  Start(config);
  const pki::TlsContext tls = Tls();
  const auto honest = As(std::nullopt);
  constexpr int kRounds = 4;
  for (int round = 0; round < kRounds; ++round) {
    asio::io_context io;
    for (int i = 0; i < 16; ++i) {
      const std::string text = AnyConnection();
      const std::size_t piece = Pick(2) == 0 ? 1 + Pick(60) : text.size() / (1 + Pick(9)) + 1;
      asio::co_spawn(io, Talk(tls, Address(), text, piece, Pick(3) != 0), asio::detached);
    }
    io.run();
    DT_EXPECT_OK(Revoke(*honest, "u1"));
  }
}

// What gRPC complains about, and shows, strangers choose.
TEST_F(FramesTest, HeadersThatGrpcRefusesFillNoLog) {
  const testing::TempFolder folder;
  LogSums();  // Of other tests.
  DT_ASSERT_OK(SetLogFile(folder / "log"));
  Start(Edge());
  std::string text = Begin();
  for (std::uint32_t stream = 1; stream < 101; stream += 2) {
    text += Frame(kHeaders, kEndHeaders | kEndStream, stream,
                  Field(":method", "POST") + Field(":scheme", std::string(100, 's')));
  }
  asio::io_context io;
  const pki::TlsContext tls = Tls();
  asio::co_spawn(io, Talk(tls, Address(), text, text.size(), true), asio::detached);
  io.run();
  server_->Stop();
  const std::string log = ReadFile(folder / "log").value();
  std::size_t lines = 0;
  for (std::size_t at = 0; (at = log.find("\"event\":\"grpc\"", at)) != log.npos; ++at) ++lines;
  EXPECT_EQ(lines, kSparseLinesOfEach);
}

}  // namespace
}  // namespace devicetrust::rpc::frames_test
