using Quire.Tests.Tracing.Rings;
using Quire.Tests.Tracing.Stacks;

/// <summary>
/// Makes a child of the test's program: with <c>DOTNET_STARTUP_HOOKS</c> the runtime calls this before the program's own beginning, and what the environment
/// names runs in its place. The name, and that it is in no namespace, are the runtime's.
/// </summary>
internal static class StartupHook
{
    public static void Initialize()
    {
        if (Environment.GetEnvironmentVariable(SceneRunner.Variable) is { } scenes)
        {
            Environment.Exit(SceneRunner.Run(scenes));
        }

        string path = Environment.GetEnvironmentVariable(RecordingChild.PathVariable)!;
        switch (Environment.GetEnvironmentVariable(RecordingChild.WorkVariable))
        {
            case "endless":
                RecordingChild.WriteWithoutEnd(path);
                break;
            case "limited":
                RecordingChild.RecordUnderLimit(path);
                break;
            default:
                return;
        }

        Environment.Exit(0);
    }
}
