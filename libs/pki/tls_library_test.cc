#include "libs/pki/tls_library.h"

#include <gtest/gtest.h>
#include <openssl/err.h>
#include <openssl/obj_mac.h>
#include <openssl/ssl.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "libs/pki/quick_ec.h"
#include "libs/pki/tls_context.h"
#include "libs/pki/tls_test_peers.h"

namespace devicetrust::pki {
namespace {

// Whoever offers X25519 alone gets it in either version, in each way of ours. In TLS 1.2 from a
// server with an RSA key: there the list of groups also says which curves of keys a client takes.
TEST(TlsLibraryTest, AgreesOnX25519InEveryVersion) {
  const tls_test::ForeignPeer rsa({"RSA"});
  const auto talk = [&](bool plain) {
    const TlsContext server =
        TlsContext::ForServer({.identity = rsa.identity(), .plain = plain}).value();
    for (const char* groups : {"X25519", "X25519:P-256"}) {
      for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
        SCOPED_TRACE(absl::StrCat(groups, " ", version, plain ? " plain" : ""));
        SslPtr session = rsa.NewSession(version);
        ASSERT_EQ(SSL_set1_groups_list(session.get(), groups), 1);
        tls_test::Connection connection(server.NewSession(), std::move(session));
        EXPECT_TRUE(connection.Talk());
        EXPECT_EQ(SSL_get_negotiated_group(connection.client.get()), NID_X25519);
        EXPECT_EQ(ERR_peek_error(), 0UL);
        ERR_clear_error();
      }
    }
  };
  talk(/*plain=*/true);
  talk(/*plain=*/false);
  ASSERT_TRUE(UseQuickEcKeys());
  talk(/*plain=*/false);
}

}  // namespace
}  // namespace devicetrust::pki
