using System.Diagnostics;
using System.Reflection;
using Xunit;

namespace Quire.AspNetCore.Tests;

/// <summary>The sample with a forgetful class, run as a user would.</summary>
public sealed class SampleTests
{
    [Fact]
    public async Task The_sample_names_the_line_that_forgot_its_slices()
    {
        using Process process = Process.Start(new ProcessStartInfo("dotnet", [Program(), "--self-test"]) { RedirectStandardOutput = true, RedirectStandardError = true })!;
        Task<string> error = process.StandardError.ReadToEndAsync();
        string output = await process.StandardOutput.ReadToEndAsync();
        using CancellationTokenSource limit = new(TimeSpan.FromSeconds(60));
        await process.WaitForExitAsync(limit.Token);
        Assert.True(process.ExitCode == 0, $"status {process.ExitCode}: {await error}{output}");
        Assert.Contains("The line to look at: Thumbnails.cs:19 Make", output, StringComparison.Ordinal);

        // The page of the documentation shows this table; its ages and threads are those of another run.
        Assert.Contains("Thumbnails.cs:19 Make  fragment     8      8  128 B / 32 KiB", output, StringComparison.Ordinal);
        Assert.Contains("Thumbnails.cs:19 Make  fragment     8      8  128 B / 32 KiB", await File.ReadAllTextAsync(Path.Combine(Root(), "docs", "kestrel.md")), StringComparison.Ordinal);
    }

    private static string Program() => Path.Combine(Root(), "samples", "KestrelHolders", "bin", Configuration(), "net10.0", "KestrelHolders.dll");

    private static string Configuration() => typeof(SampleTests).Assembly.GetCustomAttribute<AssemblyConfigurationAttribute>()!.Configuration;

    private static string Root()
    {
        string? folder = AppContext.BaseDirectory;
        while (folder is not null && !File.Exists(Path.Combine(folder, "Quire.slnx")))
        {
            folder = Path.GetDirectoryName(folder);
        }

        return folder ?? throw new InvalidOperationException("The tests run outside the repository.");
    }
}
