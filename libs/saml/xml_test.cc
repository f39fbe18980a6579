#include "libs/saml/xml.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "libs/testing/status.h"

namespace devicetrust::saml {
namespace {

TEST(XmlTest, ReadsElementsAttributesAndText) {
  const XmlDocument document =
      XmlDocument::Parse(
          "<?xml version=\"1.0\"?><a xmlns=\"urn:x\" n=\"1 &amp; 2\" xmlns:y=\"urn:y\" y:n=\"3\">"
          "<b> t&lt;1&#x41;<![CDATA[<2]]> </b><y:b/></a>")
          .value();
  const XmlElement root = document.root();
  EXPECT_TRUE(root.Is("urn:x", "a"));
  EXPECT_FALSE(root.Is("urn:y", "a"));
  EXPECT_EQ(root.Attribute("n"), "1 & 2");
  EXPECT_EQ(root.Attribute("m"), std::nullopt);
  EXPECT_EQ(root.Child("urn:x", "b")->value().Text(), "t<1A<2");
  EXPECT_EQ(root.Children("urn:y", "b").size(), 1U);
  EXPECT_FALSE(root.Child("urn:y", "c")->has_value());
}

TEST(XmlTest, RefusesWhatHasBeenAnAttack) {
  std::string deep;
  for (int i = 0; i < 5000; ++i) deep += "<a>";
  std::string wide_attribute = "<a x=\"" + std::string(70'000, 'y') + "\"/>";
  const std::pair<const char*, std::string> table[] = {
      {"empty", ""},
      {"not XML", "hello"},
      {"unclosed", "<a>"},
      {"two roots", "<a/><b/>"},
      {"trailing text", "<a/>x"},
      {"doctype", "<!DOCTYPE a><a/>"},
      {"external entity", "<!DOCTYPE a [<!ENTITY e SYSTEM \"file:///etc/passwd\">]><a>&e;</a>"},
      {"billion laughs", "<!DOCTYPE a [<!ENTITY b \"xx\"><!ENTITY c \"&b;&b;\">]><a>&c;</a>"},
      {"parameter entity", "<!DOCTYPE a [<!ENTITY % p SYSTEM \"http://x/\">%p;]><a/>"},
      {"unknown entity", "<a>&nbsp;</a>"},
      {"comment in a name", "<a>admin@x<!---->.evil</a>"},
      {"processing instruction", "<a><?x y?></a>"},
      {"nul", std::string("<a>\0</a>", 8)},
      {"utf-16", std::string("\xff\xfe<\0a\0/\0>\0", 10)},
      {"latin 1", "<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?><a>\xe9</a>"},
      {"utf-7", "<?xml version=\"1.0\" encoding=\"UTF-7\"?>+ADwAIQ-DOCTYPE"},
      {"overlong utf-8", "<a>\xc0\xbc</a>"},
      {"surrogate", "<a>\xed\xa0\x80</a>"},
      {"noncharacter", "<a>\xef\xbf\xbf</a>"},
      {"control", "<a>\x01</a>"},
      {"control by reference", "<a>&#1;</a>"},
      {"two IDs", "<a ID=\"x\"><b ID=\"x\"/></a>"},
      {"attribute twice", "<a b=\"1\" b=\"2\"/>"},
      {"undeclared prefix used twice", "<a x:b=\"1\" x:b=\"2\"/>"},
      {"too deep", deep},
      {"too long", wide_attribute},
  };
  for (const auto& [name, text] : table) {
    EXPECT_EQ(XmlDocument::Parse(text).status().code(), absl::StatusCode::kInvalidArgument) << name;
  }
}

TEST(XmlTest, MetadataMayHaveComments) {
  const XmlLimits limits{.comments_allowed = true};
  const XmlDocument document = XmlDocument::Parse("<!-- c --><a>x<!-- y -->z</a>", limits).value();
  EXPECT_EQ(document.root().Text(), "xz");
  EXPECT_FALSE(XmlDocument::Parse("<!DOCTYPE a><a/>", limits).ok());
}

TEST(XmlTest, CanonicalFormLeavesTheSignatureOut) {
  const XmlDocument document =
      XmlDocument::Parse("<a xmlns:u=\"urn:unused\" c=\"2\" b='1'><s xmlns=\"urn:s\"><t/></s>x</a>")
          .value();
  const XmlElement signature = document.root().Children().front();
  EXPECT_EQ(Canonicalize(document, document.root(), signature).value(), "<a b=\"1\" c=\"2\">x</a>");
  EXPECT_EQ(Canonicalize(document, signature, std::nullopt).value(),
            "<s xmlns=\"urn:s\"><t></t></s>");
}

TEST(XmlTest, EscapesAsCanonicalXmlDoes) {
  const std::string nasty = "a&b<c>d\"e'f]]>\r\n\tg\x01\xff\xc3\xa9";
  EXPECT_EQ(EscapeXmlText(nasty),
            "a&amp;b&lt;c&gt;d\"e'f]]&gt;&#xD;\n\tg\xef\xbf\xbd\xef\xbf\xbd\xc3\xa9");
  EXPECT_EQ(EscapeXmlAttribute(nasty),
            "a&amp;b&lt;c>d&quot;e'f]]>&#xD;&#xA;&#x9;g\xef\xbf\xbd\xef\xbf\xbd\xc3\xa9");
  const std::string text =
      "<a b=\"" + EscapeXmlAttribute(nasty) + "\">" + EscapeXmlText(nasty) + "</a>";
  const XmlDocument document = XmlDocument::Parse(text).value();
  EXPECT_EQ(Canonicalize(document, document.root(), std::nullopt).value(), text);
}

}  // namespace
}  // namespace devicetrust::saml
