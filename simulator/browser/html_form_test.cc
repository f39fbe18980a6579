#include "simulator/browser/html_form.h"

#include <gtest/gtest.h>

namespace devicetrust::simulator {
namespace {

TEST(HtmlFormTest, ReadsAFormAsABrowserWould) {
  auto form = ParseForm(R"(<!doctype html><title>Sign in</title><form method="post"
      action="/signin?t=a&amp;b"><label>User <input name="user" autocomplete="username"></label>
      <input type=hidden name=csrf value='x"y>z'><input type="password" name="p"/>
      <button>Sign in</button></form><form action="/other"></form>)");
  ASSERT_TRUE(form.has_value());
  EXPECT_EQ(form->action, "/signin?t=a&b");
  ASSERT_EQ(form->fields.size(), 3u);
  EXPECT_EQ(form->fields[1].value, "x\"y>z");
  form->Find("username")->value = "zoë@corp.test";
  form->Find("password")->value = "a b&c";
  EXPECT_EQ(form->Encode(), "user=zo%C3%AB%40corp.test&csrf=x%22y%3Ez&p=a%20b%26c");
}

TEST(HtmlFormTest, DecodesEntities) {
  const auto form =
      ParseForm(R"(<form action="x"><input name=v value="&lt;&#38;&#xe9;&amp;amp;&no;"></form>)");
  EXPECT_EQ(form->fields.front().value, "<&é&amp;&no;");
  EXPECT_EQ(ElementText("<p>Code <code class=c>7F3K&#45;9QXD</code></p>", "code"), "7F3K-9QXD");
}

TEST(HtmlFormTest, SurvivesBrokenPages) {
  EXPECT_FALSE(ParseForm("").has_value());
  EXPECT_FALSE(ParseForm("<formula>").has_value());
  EXPECT_FALSE(ParseForm("<form action=\"").has_value());
  EXPECT_EQ(ParseForm("<form><input name='a").value().fields.size(), 0u);
  EXPECT_EQ(ParseForm("<form><input name=\"a\" value>").value().fields.size(), 1u);
  EXPECT_EQ(ElementText("<code>", "code"), "");
}

}  // namespace
}  // namespace devicetrust::simulator
