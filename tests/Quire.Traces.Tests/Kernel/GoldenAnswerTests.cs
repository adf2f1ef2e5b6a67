using System.Globalization;
using Quire.Traces.Analysis;
using Xunit;

namespace Quire.Traces.Tests.Kernel;

/// <summary>
/// Golden triples in <c>Kernel/Golden</c>: NAME.args has a command line of <c>quire</c> whose trace is a recording of Data/kernel or lies beside it, NAME.expected what it prints, word by word.
/// <c>UPDATE_GOLDEN=1</c> writes the answers anew, to be read before they are committed.
/// </summary>
public sealed class GoldenAnswerTests
{
    private static readonly string s_folder = Path.Combine(Classes.KernelSamples.Root(), "tests", "Quire.Traces.Tests", "Kernel", "Golden");

    public static TheoryData<string> Names { get; } = [.. Directory.EnumerateFiles(s_folder, "*.args").Select(static path => Path.GetFileNameWithoutExtension(path)!).Order(StringComparer.Ordinal)];

    [Theory]
    [MemberData(nameof(Names))]
    public void A_question_to_a_trace_has_the_answer_that_was_read_and_agreed(string name)
    {
        string expected = Path.Combine(s_folder, $"{name}.expected");
        string answer = Answer(File.ReadAllText(Path.Combine(s_folder, $"{name}.args")).Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries));
        if (Environment.GetEnvironmentVariable("UPDATE_GOLDEN") == "1")
        {
            File.WriteAllText(expected, answer);
        }

        Assert.Equal(File.ReadAllText(expected), answer);
    }

    private static string Answer(string[] words)
    {
        string beside = Path.Combine(s_folder, words[1]);
        string path = File.Exists(beside) ? beside : Path.Combine(KernelSample.Folder, words[1]);
        using TraceInput input = TraceInput.Open(path);
        bool isJson = words.Contains("--json");
        string? page = After(words, "--page");
        BlameOptions options = new()
        {
            All = words.Contains("--all"),
            Leaks = words.Contains("--leaks"),
            Attempt = After(words, "--attempt") is { } attempt ? int.Parse(attempt, CultureInfo.InvariantCulture) : null,
            AtNs = After(words, "--at") is { } at ? (long)(decimal.Parse(at, CultureInfo.InvariantCulture) * 1_000_000_000) : null,
        };
        StringWriter text = new();
        switch (words[0])
        {
            case "blame" when page is not null:
                ReportText.Write(text, TraceAnalysis.Page(input, System.Convert.ToUInt64(page, 16), options), options.All);
                break;
            case "blame" when isJson:
                ReportJson.Write(text, TraceAnalysis.Blame(input, options));
                break;
            case "blame":
                ReportText.Write(text, TraceAnalysis.Blame(input, options), options.All || options.Attempt is not null);
                break;
            case "history":
                ReportText.Write(text, TraceAnalysis.History(input, System.Convert.ToUInt64(page, 16), null), words.Contains("--stacks"));
                break;
            case "stat":
                ReportText.Write(text, TraceAnalysis.Stat(input, null));
                break;
            default:
                Assert.Fail($"'{words[0]}' is no question.");
                break;
        }

        return text.ToString().Replace(path, words[1], StringComparison.Ordinal);
    }

    private static string? After(string[] words, string option) => Array.IndexOf(words, option) is >= 0 and var at ? words[at + 1] : null;
}
