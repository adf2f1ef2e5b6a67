using System.Runtime.InteropServices;
using Quire.Packages.Tests.Packing;
using Quire.Tests;
using Xunit;

namespace Quire.Packages.Tests;

/// <summary>The library's marks are promises: an application published with everything trimmed away that can be has no warning and does the same.</summary>
public class TrimmedProjectTests(PackedQuire packed)
{
    private const string Program = """
        using Quire;

        using IDisposable tracking = Holders.Track();
        using PageAllocator allocator = new(new PageAllocatorOptions { Name = "small", LimitBytes = 64 << 20 });
        Page page = allocator.Allocate();
        page.Span.Fill(0x2a);
        Console.WriteLine(Holders.Of(page).Entries[0]);
        page.Put();
        using (PageTracing.Start(new PageTracingOptions { Path = Path.Combine(AppContext.BaseDirectory, "run.qring"), Stacks = true }))
        {
            allocator.Allocate().Put();
        }

        Console.WriteLine(allocator.GetStatistics().InUseFrames);
        """;

    [Fact]
    public void A_trimmed_self_contained_application_has_no_warning_and_runs()
    {
        UserProject project = new(packed, "console", "Small", otherSources: true, "Quire");
        string installed = Environment.GetEnvironmentVariable("NUGET_PACKAGES") ?? Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.UserProfile), ".nuget", "packages");
        project.SetProperties($"""
            <RuntimeIdentifier>{RuntimeInformation.RuntimeIdentifier}</RuntimeIdentifier>
            <SelfContained>true</SelfContained>
            <PublishTrimmed>true</PublishTrimmed>
            <TrimMode>full</TrimMode>
            <TrimmerSingleWarn>false</TrimmerSingleWarn>
            <EnableAotAnalyzer>true</EnableAotAnalyzer>
            <RestoreFallbackFolders Condition="Exists('{installed}')">{installed}</RestoreFallbackFolders>
            """);
        project.Write(Program);
        (int status, string output) = project.TryPublish();
        Assert.SkipWhen(status != 0 && (output.Contains("error NU11", StringComparison.Ordinal) || output.Contains("error NU13", StringComparison.Ordinal)), $"The runtime pack does not restore here: {output}");
        Assert.True(status == 0, output);
        Assert.DoesNotContain("warning IL", output, StringComparison.Ordinal);

        // Nothing of an installed .NET may be needed.
        System.Diagnostics.ProcessStartInfo start = new(Path.Combine(project.Folder, "out", "Small"));
        start.Environment["DOTNET_ROOT"] = "/nonexistent";
        using ChildProcess small = new(start);
        Assert.True(small.WaitForExit(TimeSpan.FromMinutes(1)) == 0, small.Output + small.Error);
        Assert.Matches(@"Program\.cs:5 <Main>\$", small.Output);
        Assert.EndsWith("\n0\n", small.Output, StringComparison.Ordinal);
        Assert.True(new FileInfo(Path.Combine(project.Folder, "out", "run.qring")).Length > 0);
    }
}
