using Xunit;

namespace Quire.Tests.Cli;

/// <summary>The command, run as its users run it: as a process.</summary>
internal static class Command
{
    internal static (int Status, string Output, string Error) Run(params string[] arguments)
    {
        using ChildProcess call = new(Environment.GetEnvironmentVariable("DOTNET_HOST_PATH") ?? "dotnet", [Path.Combine(AppContext.BaseDirectory, "Quire.Cli.dll"), .. arguments]);
        int status = call.WaitForExit(TimeSpan.FromSeconds(60));
        return (status, call.Output, call.Error);
    }

    /// <summary>The call is refused: one line on standard error that says what, nothing on standard output, status 2.</summary>
    internal static void IsRefused(string what, params string[] arguments)
    {
        (int status, string output, string error) = Run(arguments);
        Assert.True(status == 2, $"status {status}: {output}{error}");
        Assert.Single(error.Split('\n', StringSplitOptions.RemoveEmptyEntries));
        Assert.Contains(what, error, StringComparison.Ordinal);
        Assert.Equal("", output);
    }
}
