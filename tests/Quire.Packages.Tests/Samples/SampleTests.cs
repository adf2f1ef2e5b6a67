using Quire.Tests;
using Quire.Tests.Architecture;
using Xunit;

namespace Quire.Packages.Tests.Samples;

/// <summary>The samples, each run by its command.</summary>
public class SampleTests
{
    [Fact]
    public void MovableCache_gives_way_to_a_camera_and_names_the_line_of_a_forgotten_pin()
    {
        (int status, string output) = Run("MovableCache", "MovableCache", "--seconds", "0.4");
        Assert.True(status == 0, output);
        Assert.Matches(@"the cache evicts [1-9][0-9,]* entries, [1-9][0-9,]* pages move, and it has 32 MiB in one piece", output);

        string source = File.ReadAllText(Path.Combine(SourceModel.Root(), "samples/MovableCache/Thumbnailer.cs"));
        int line = 1 + source[..source.IndexOf("_cache.TryPin(", StringComparison.Ordinal)].Count(static c => c == '\n');
        Assert.Contains($"HELD  Thumbnailer.cs:{line} Draw, ", output, StringComparison.Ordinal);
        Assert.Contains($"HELD  Thumbnailer.cs:{line} Draw, ", File.ReadAllText(Path.Combine(SourceModel.Root(), "samples/MovableCache/README.md")), StringComparison.Ordinal);
        Assert.Contains("success: 32 MiB in one piece", output, StringComparison.Ordinal);
        Assert.EndsWith("pages held at end: 0\n", output, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("MovableCache", "MovableCache", "--seconds", "0")]
    [InlineData("MovableCache", "MovableCache", "--second", "1")]
    [InlineData("OpenTelemetry", "OtlpExport", "--seconds", "never")]
    public void A_wrong_call_is_one_line_and_status_2(string folder, string name, params string[] arguments)
    {
        (int status, string output) = Run(folder, name, arguments);
        Assert.Equal(2, status);
        Assert.Equal(1, output.Count(static c => c == '\n'));
    }

    [Fact]
    public void KestrelHolders_names_the_line_that_forgot_its_slices()
    {
        (int status, string output) = Run("KestrelHolders", "KestrelHolders", "--self-test");
        Assert.True(status == 0, output);
        Assert.Contains("The line to look at: Thumbnails.cs:19 Make", output, StringComparison.Ordinal);

        // The page of the documentation shows this table; its ages and threads are those of another run.
        Assert.Contains("Thumbnails.cs:19 Make  fragment     8      8  128 B / 32 KiB", output, StringComparison.Ordinal);
        Assert.Contains("Thumbnails.cs:19 Make  fragment     8      8  128 B / 32 KiB", File.ReadAllText(Path.Combine(SourceModel.Root(), "docs/kestrel.md")), StringComparison.Ordinal);
    }

    [Fact]
    public void LeakInATest_shows_the_table_of_what_a_failed_test_leaked()
    {
        (int status, string output) = Run("LeakInATest", "LeakInATest", "-explicit", "only", "-noColor");
        Assert.True(status != 0, output);
        string source = File.ReadAllText(Path.Combine(SourceModel.Root(), "samples/LeakInATest/HeaderParser.cs"));
        int line = 1 + source[..source.IndexOf("cache.Allocate(", StringComparison.Ordinal)].Count(static c => c == '\n');
        Assert.Matches($@"HeaderParser\.cs:{line} Parse +fragment +1 +1 +1 B / 32 KiB", output);
        Assert.Contains($"HeaderParser.cs:{line} Parse ", File.ReadAllText(Path.Combine(SourceModel.Root(), "samples/LeakInATest/README.md")), StringComparison.Ordinal);

        (status, output) = Run("LeakInATest", "LeakInATest", "-noColor");
        Assert.True(status == 0, output);
        Assert.Contains("Total: 3, Errors: 0, Failed: 0, Skipped: 0, Not Run: 1", output, StringComparison.Ordinal);
    }

    [Fact]
    public void OpenTelemetry_s_exporter_brings_the_meter_to_a_receiver_of_OTLP()
    {
        (int status, string output) = Run("OpenTelemetry", "OtlpExport", "--self-test");
        Assert.True(status == 0, output);
        Assert.Matches(@"(?m)^ +[1-9][0-9]* \{fragment\} +quire\.fragments\.out\{quire\.allocator\.name=requests\}$", output);
        Assert.Matches(@"(?m)^ +[1-9][0-9]* By +quire\.pages\.pinned_by_fragments\{quire\.allocator\.name=requests\}$", output);
        Assert.Contains("all that were expected among them", output, StringComparison.Ordinal);
    }

    /// <summary>The sample as this build made it, beside this test's own configuration.</summary>
    private static (int Status, string Output) Run(string folder, string name, params string[] arguments)
    {
        string configuration = new DirectoryInfo(AppContext.BaseDirectory).Parent!.Name;
        string program = Path.Combine(SourceModel.Root(), "samples", folder, "bin", configuration, "net10.0", $"{name}.dll");
        Assert.True(File.Exists(program), $"{program} is not built.");
        using ChildProcess sample = new("dotnet", [program, .. arguments]);
        int status = sample.WaitForExit(TimeSpan.FromMinutes(2));
        return (status, sample.Output + sample.Error);
    }
}
