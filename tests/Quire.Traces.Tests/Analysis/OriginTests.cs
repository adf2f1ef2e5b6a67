using Quire.Traces.Analysis;
using Xunit;

namespace Quire.Traces.Tests.Analysis;

public class OriginTests
{
    [Theory]
    [InlineData("App.Http.HttpParser.KeepHeader(Parser.cs:141)", "HttpParser.KeepHeader Parser.cs:141")]
    [InlineData("App.Http.HttpParser.KeepHeader", "HttpParser.KeepHeader")]
    [InlineData("App.Auditor.ctor.lambda1(Auditor.cs:21)", "Auditor.ctor.lambda1 Auditor.cs:21")]
    [InlineData("Program.Main(Program.cs:7)", "Program.Main Program.cs:7")]
    [InlineData("pipe_read", "pipe_read")]
    [InlineData("0xffffffff81234567", "0xffffffff81234567")]
    [InlineData("", "")]
    public void A_frame_is_called_by_type_method_and_place(string frame, string label) => Assert.Equal(label, OriginTable.FrameLabel(frame));

    [Fact]
    public void A_site_with_another_stack_is_another_origin_and_the_same_one_is_found_again()
    {
        OriginTable origins = new();
        int[] numbers = [origins.Of("A.cs:1 M", []), origins.Of("A.cs:1 M", [1, 2]), origins.Of("A.cs:1 M", [1, 3]), origins.Of("B.cs:1 M", [1, 2]), origins.Of("", [])];

        Assert.Equal(5, numbers.Distinct().Count());
        Assert.Equal(0, numbers[4]);
        Assert.Equal(numbers[1], origins.Of("A.cs:1 M", [1, 2]));
        Assert.Equal("A.cs:1 M", origins.SiteOf(numbers[2]));
    }

    [Theory]
    [InlineData("\"%s\", __print_symbolic(REC->kind, {0, \"page\"}, {-1, \"odd one\"})", 0, "page")]
    [InlineData("\"%s\", __print_symbolic(REC->kind, {0, \"page\"}, {-1, \"odd one\"})", -1, "odd one")]
    [InlineData("\"%s\", __print_symbolic(REC->kind, {0, \"page\"})", 5, "kind 5")]
    [InlineData("\"%s %s\", __print_symbolic(REC->mode, {0, \"wrong\"}), __print_symbolic(REC->kind, {0, \"right\"})", 0, "right")]
    [InlineData("\"%s\", __print_symbolic(REC->kind, {0, \"never closed", 0, "kind 0")]
    public void Numbers_have_the_names_that_the_format_text_gives_them(string print, long number, string name)
    {
        TraceEventFormat format = TraceEventFormat.Parse("quire", $"name: x\nID: 1\nformat:\n\nprint fmt: {print}\n");

        Assert.Equal(name, new SymbolicNames(format, "kind")[number]);
    }
}
