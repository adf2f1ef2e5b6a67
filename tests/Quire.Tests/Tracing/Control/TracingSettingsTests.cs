using Xunit;

namespace Quire.Tests.Tracing.Control;

public sealed class TracingSettingsTests
{
    [Fact]
    public void Without_a_path_nothing_is_asked_for() =>
        Assert.Null(Read(("QUIRE_TRACE", ""), ("QUIRE_TRACE_SAMPLE", "nonsense")));

    [Fact]
    public void Every_setting_of_the_environment_arrives()
    {
        PageTracingOptions options = Read(
            ("QUIRE_TRACE", "run-{pid}.qring"), ("QUIRE_TRACE_STACKS", "1"), ("QUIRE_TRACE_SAMPLE", "100"), ("QUIRE_TRACE_FILTER", "size>=4096"),
            ("QUIRE_TRACE_BUFFER", "64K"), ("QUIRE_TRACE_MAXIMUM", "2M"), ("QUIRE_TRACE_OVERFLOW", "stop"), ("QUIRE_TRACE_OVERWRITE", "true"))!;
        Assert.Equal(Path.GetFullPath($"run-{Environment.ProcessId}.qring"), options.FullPath);
        Assert.True(options.Stacks);
        Assert.Equal(100, options.SampleEvery);
        Assert.Equal("size>=4096", options.Filter!.ToString());
        Assert.Equal(64 << 10, options.RingBytes);
        Assert.Equal(2 << 20, options.MaximumBytes);
        Assert.Equal(TraceOverflow.StopWhenFull, options.Overflow);
        Assert.True(options.Overwrite);
        options.Check();
    }

    [Fact]
    public void A_path_alone_means_the_defaults_of_the_options()
    {
        PageTracingOptions options = Read(("QUIRE_TRACE", "a"))!;
        PageTracingOptions defaults = new() { Path = "a" };
        Assert.Equal(
            (defaults.Stacks, defaults.SampleEvery, defaults.Filter, defaults.RingBytes, defaults.MaximumBytes, defaults.Overflow, defaults.Overwrite),
            (options.Stacks, options.SampleEvery, options.Filter, options.RingBytes, options.MaximumBytes, options.Overflow, options.Overwrite));
    }

    [Fact]
    public void Runtimeconfig_counts_where_the_environment_is_silent()
    {
        PageTracingOptions options = TracingStart.ReadSettings(
            static name => name == "QUIRE_TRACE_SAMPLE" ? "7" : null,
            static name => name switch { "Quire.Tracing.Path" => "b", "Quire.Tracing.Sample" => 9, "Quire.Tracing.Stacks" => true, _ => null })!;
        Assert.Equal(("b", 7, true), (options.Path, options.SampleEvery, options.Stacks));
    }

    [Theory]
    [InlineData("QUIRE_TRACE_SAMPLE", "0", "a whole number from 1")]
    [InlineData("QUIRE_TRACE_SAMPLE", "many", "a whole number from 1")]
    [InlineData("QUIRE_TRACE_STACKS", "maybe", "1 or 0")]
    [InlineData("QUIRE_TRACE_BUFFER", "1", "a number of bytes from 8192")]
    [InlineData("QUIRE_TRACE_BUFFER", "5G", "a number of bytes from 8192")]
    [InlineData("QUIRE_TRACE_MAXIMUM", "1K", "a number of bytes from")]
    [InlineData("QUIRE_TRACE_OVERFLOW", "newest", "oldest")]
    [InlineData("QUIRE_TRACE_FILTER", "pages=1", "Filter, character 1")]
    public void A_wrong_setting_is_named_as_its_user_knows_it(string name, string text, string expected)
    {
        FormatException wrong = Assert.Throws<FormatException>(() => Read(("QUIRE_TRACE", "a"), (name, text)));
        Assert.StartsWith(name, wrong.Message, StringComparison.Ordinal);
        Assert.Contains(expected, wrong.Message, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', wrong.Message);
    }

    [Fact]
    public void Every_text_survives_its_way_through_an_enable_command()
    {
        int seed = Environment.TickCount;
        Random random = new(seed);
        const string Alphabet = "aZ09 /;=\"%:,äö€\n\\~.-_\t'&+#";
        for (int round = 0; round < 2000; round++)
        {
            string text = new([.. Enumerable.Range(0, random.Next(20)).Select(_ => Alphabet[random.Next(Alphabet.Length)])]);
            string encoded = TracingSettings.Encode(text);
            Assert.True(encoded.AsSpan().IndexOfAny(";=\"") < 0 && encoded.AsSpan().IndexOfAny(":, ") < 0, $"seed {seed}: {encoded}");
            Assert.True(TracingSettings.Decode(encoded) == text, $"seed {seed}: '{text}' came back as '{TracingSettings.Decode(encoded)}'");
        }

        Assert.Equal("/tmp/run.qring", TracingSettings.Encode("/tmp/run.qring"));
        Assert.Equal("/tmp/run.qring", TracingSettings.Decode("/tmp/run.qring"));
    }

    [Theory]
    [InlineData("0", 0)]
    [InlineData("4096", 4096)]
    [InlineData("4k", 4096)]
    [InlineData("4KiB", 4096)]
    [InlineData("64B", 64)]
    [InlineData("2G", 2L << 30)]
    [InlineData("9223372036854775807", long.MaxValue)]
    [InlineData("8589934592G", -1)]
    [InlineData("-1", -1)]
    [InlineData("1.5M", -1)]
    [InlineData("K", -1)]
    [InlineData("", -1)]
    [InlineData("4 K", -1)]
    public void Sizes_are_whole_numbers_with_a_unit(string text, long expected) =>
        Assert.Equal(expected, ByteSize.TryParse(text, out long bytes) ? bytes : -1);

    private static PageTracingOptions? Read(params (string Name, string Text)[] environment) =>
        TracingStart.ReadSettings(name => environment.Where(setting => setting.Name == name).Select(static setting => setting.Text).FirstOrDefault(), static _ => null);
}
